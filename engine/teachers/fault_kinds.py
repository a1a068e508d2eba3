"""The one table of the ways in which an endpoint fails to answer: words, scope and advice of each kind.

Imports no client library, because the app draws it. Knows nothing of how a kind is recognised.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.wording import counted

FaultKind = Literal[
    "cut", "html", "not_json", "error_body", "no_choices", "no_content", "bad_text", "duplicated", "unknown_finish",
    "stalled", "too_slow", "too_long", "broken", "unreachable", "certificate", "no_tls", "redirect",
    "rate_limited", "server", "key", "quota", "context", "content_filter", "refused", "not_found",
]  # fmt: skip
# retry: the same request may succeed later. question: this question cannot be answered, others can.
# job: no question can be answered until a person changes something.
FaultScope = Literal["retry", "question", "job"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is said of one kind of fault, and what it affects."""

    counted_as: str  # takes a plural "s"
    title: str
    advice: str
    job_advice: str = ""  # where there is a job to resume and an option to change; empty: `advice`
    scope: FaultScope = "retry"
    scope_at_last: FaultScope = "retry"  # of a "retry" whose every try failed
    # Whether it says nothing of the endpoint, only of its question: always, once the endpoint has answered another
    # one (before that, it suggests that no answer will ever come), or never.
    of_question: Literal["always", "once answered", "never"] = "never"


FAULTS: dict[FaultKind, Fault] = {
    "cut": Fault("cut-off answer", "The answer was cut off.",
        "The stream ended without saying that the answer is finished."),
    "html": Fault("web page", "The server sent a web page instead of an answer.",
        "Check the base URL: it usually ends in /v1.", scope_at_last="job"),
    "not_json": Fault("malformed response", "The server sent something that is not JSON.",
        "Check the base URL and the server's log.", scope_at_last="job"),
    "error_body": Fault("error message", "The server reported an error instead of an answer.",
        "See the server's own message."),
    "no_choices": Fault("empty response", "The server's response contains no choices.", "Check the server's log."),
    "no_content": Fault("empty answer", "The answer is empty.",
        "Raise the answer token limit if the model thinks before it answers.", scope_at_last="question",
        of_question="once answered"),
    "bad_text": Fault("garbled answer", "The answer is not valid text.",
        "The server sent broken UTF-8 or half a character.", scope_at_last="question"),
    "duplicated": Fault("duplicated answer", "The server sent parts of the answer twice.",
        "Check for a proxy that replays chunks.", scope_at_last="question"),
    "unknown_finish": Fault("unknown finish reason", "The answer has an unknown finish reason.",
        "Choose a model that answers in plain text.", scope="question", of_question="once answered"),
    "stalled": Fault("stalled answer", "The server stopped answering.",
        "Try again; the server may be overloaded.", "Ask for fewer parallel answers if the server is overloaded."),
    "too_slow": Fault("slow answer", "The answer took too long.", "Try again; the server may be overloaded.",
        "Ask for fewer parallel answers, or lower the maximum tokens per answer."),
    "too_long": Fault("overlong answer", "The answer is far longer than requested.",
        "The server ignores the answer token limit.", scope="question", of_question="always"),
    "broken": Fault("broken connection", "The connection broke.", "Check the network and the server's log."),
    "unreachable": Fault("failed connection", "The endpoint cannot be reached.",
        "Check the base URL, and that the server is running.", scope_at_last="job"),
    "certificate": Fault("untrusted certificate", "The endpoint's certificate is not trusted.",
        "Check the address; http is for loopback only.", scope="job"),
    "no_tls": Fault("unencrypted response", "The endpoint does not speak https.",
        "Check the address and its port; http is for loopback only.", scope="job"),
    "redirect": Fault("redirect", "The endpoint redirects elsewhere.", "Use the final address as the base URL.",
        "Give the final address as the teacher's base URL: distill-tui settings", scope="job"),
    "rate_limited": Fault("rate limit", "The endpoint asks for fewer requests.", "Wait a while, then try again.",
        "Ask for fewer parallel answers, or resume the job later."),
    "server": Fault("server error", "The server failed.", "See the server's log, or try again later.",
        "See the server's log, or resume the job later."),
    "key": Fault("rejected key", "The endpoint rejected the key.", "Set a valid key for this host, then try again.",
        "Set a valid key for this host, then resume the job.", scope="job"),
    "quota": Fault("exhausted quota", "The account's quota is used up.", "Add credit at the provider, then try again.",
        "Add credit at the provider, then resume the job.", scope="job"),
    "context": Fault("overlong question", "The prompt and the question do not fit into the model's context.",
        "Shorten one or change the model.", scope="question", of_question="always"),
    "content_filter": Fault("filtered question", "The provider's content filter refused the question.",
        "Reword or remove this question.", scope="question", of_question="always"),
    "refused": Fault("refused request", "The server refused the request.", "See the server's own message.",
        scope="question"),
    "not_found": Fault("wrong address or model", "The model or the address was not found.",
        "Check the model's name and the base URL, which usually ends in /v1.",
        "Correct the teacher's model or base URL: distill-tui settings", scope="job"),
}  # fmt: skip
_COUNTED_AS: Mapping[str, str] = {kind: fault.counted_as for kind, fault in FAULTS.items()}


def counted_faults(counts: Mapping[str, int]) -> str:
    """Return failures by kind, the most frequent first: `12 server errors, 1 web page`.

    A single kind comes without its number: whoever names it names the total too.
    """
    named = {kind: counted(count, _COUNTED_AS.get(kind, kind)) for kind, count in counts.items()}
    if len(named) == 1:
        return next(iter(named.values())).partition(" ")[2]
    return ", ".join(named[kind] for kind in sorted(counts, key=lambda kind: (-counts[kind], kind)))

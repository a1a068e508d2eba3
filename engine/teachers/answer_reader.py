"""Assembles one answer from the decoded JSON of a chat completions endpoint, and decides whether it is complete.

Accepts what the protocol defines and reports everything else: a stream that stops without a finish reason is not an
answer. Pure: knows nothing of sockets or clients; its input may be any JSON value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from engine.records.example import FinishReason
from engine.teachers.faults import EndpointFault, body_fault

LONGEST_ANSWER = 1_000_000  # characters; far above any answer token limit, far below what could fill a disk

_MOST_TOKENS = 1_000_000_000  # per count; a larger number is a mistake, and may not fit into the database
_THINK, _THOUGHT = "<think>", "</think>"

_FINISHES: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",  # Mistral's
    "content_filter": "content_filter",
}
_BROKEN_OFF = ("insufficient_system_resource", "error", "abort")  # DeepSeek's, OpenRouter's, vLLM's


@dataclass(frozen=True, slots=True)
class CountedUsage:
    """Token counts as the server sent them."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    written_tokens: int
    thinking_tokens: int  # included in completion_tokens


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """An accepted answer. `usage` is None if the server sent none.

    `thinking_tokens` are the completion tokens spent on thinking that was not sent as text; None if unknown.
    """

    text: str
    finish_reason: FinishReason
    usage: CountedUsage | None
    thinking_tokens: int | None


class AnswerReader:
    """Reader of one answer: `feed` it every event of a stream (or one whole completion), then call `answer`."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._characters = 0
        self._repeats = 0
        self._finish: str | None = None
        self._usage: CountedUsage | None = None
        self._choices_seen = False
        self._thought = False

    def feed(self, event: object) -> str:
        """Process one event and return the text that it adds. Raises `EndpointFault`."""
        if not isinstance(event, dict):
            raise EndpointFault("not_json", f"An event is a {type(event).__name__}, not an object.")
        if event.get("error"):
            raise body_fault(event)
        self._usage = _usage(event.get("usage")) or self._usage
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices:
            return ""  # a usage event, or an event that only some proxy understands
        self._choices_seen = True
        return "".join(self._choice(choice) for choice in choices)

    @property
    def usage(self) -> CountedUsage | None:
        """The usage reported so far; it is billed whether or not the answer is complete."""
        return self._usage

    @property
    def finished(self) -> bool:
        """Whether the server has sent a finish reason."""
        return self._finish is not None

    @property
    def text(self) -> str:
        """All text received so far, including thinking."""
        return "".join(self._pieces)

    def answer(self) -> WholeAnswer:
        """Return the whole answer. Raises `EndpointFault` unless it finished normally and contains text."""
        if not self._choices_seen:
            raise EndpointFault("no_choices" if self._usage else "cut")
        if self._finish is None:
            raise EndpointFault("cut", f"{self._characters} characters were received.")
        if self._finish in _BROKEN_OFF:
            raise EndpointFault("server", f"finish_reason is {self._finish!r}.")
        finish = _FINISHES.get(self._finish)
        if finish is None:
            raise EndpointFault("unknown_finish", f"finish_reason is {self._finish!r}.")
        text = without_thinking(whole_text(self.text))
        if not text.strip() and finish != "content_filter":
            raise EndpointFault("no_content", f"finish_reason is {self._finish!r}.",
                                scope="question" if finish == "length" else "retry")  # fmt: skip
        # Each piece carries at least one token. If there are more pieces than tokens, and repeated neighbours account
        # for the surplus, pieces were sent twice.
        tokens = self._usage.completion_tokens if self._usage else 0
        if 0 < tokens < len(self._pieces) <= tokens + self._repeats:
            raise EndpointFault("duplicated", f"{len(self._pieces)} pieces for {tokens} tokens.")
        thinking = self._usage.thinking_tokens if self._usage else 0
        return WholeAnswer(text, finish, self._usage, None if self._thought and not thinking else thinking)

    def _choice(self, choice: object) -> str:
        if not isinstance(choice, dict):
            raise EndpointFault("no_choices", "A choice is not an object.")
        if choice.get("index") not in (0, None):
            return ""  # only one answer was requested
        part = choice.get("delta") or choice.get("message") or {}
        text = ""
        if isinstance(part, dict):
            text = _text_of(part.get("content"))
            self._thought = self._thought or bool(part.get("reasoning_content") or part.get("reasoning"))
        if text and self._finish is not None:
            raise EndpointFault("duplicated", "Text arrived after the end of the answer.")
        if text:
            self._repeats += bool(self._pieces) and self._pieces[-1] == text
            self._pieces.append(text)
            self._characters += len(text)
            if self._characters > LONGEST_ANSWER:
                raise EndpointFault("too_long", f"More than {LONGEST_ANSWER:,} characters.")
        finish = choice.get("finish_reason")
        if isinstance(finish, str) and finish:
            self._finish = finish
        return text


def _text_of(content: object) -> str:
    """Return the text of a message or delta. Some servers send a list of parts, with thinking as a separate part."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def whole_text(text: str) -> str:
    """Join surrogate pairs that were split across events. Raises `EndpointFault` if half of a pair is missing."""
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise EndpointFault("bad_text", "Half of a character is missing.") from error


def without_thinking(text: str) -> str:
    """Return the answer without a leading thinking block sent as text; empty if there is nothing but thinking.

    If the chat template already opened the thinking block, the text contains only its closing tag.
    """
    thought, closed, answer = text.partition(_THOUGHT)
    opened = text.lstrip().startswith(_THINK)
    return answer.lstrip() if opened or (closed and _THINK not in thought) else text


def _usage(value: object) -> CountedUsage | None:
    if not isinstance(value, dict):
        return None
    prompt, completion = _count(value, "prompt_tokens"), _count(value, "completion_tokens")
    if not prompt or completion is None:
        return None
    inner = _table(value.get("prompt_tokens_details"))
    cached = _count(inner, "cached_tokens") or _count(value, "cache_read_input_tokens") or 0
    written = _count(inner, "cache_write_tokens") or _count(value, "cache_creation_input_tokens") or 0
    # Some servers count thinking only in the total, not in the completion; it is billed like the rest.
    beside = (_count(value, "total_tokens") or 0) - prompt - completion
    if cached + written > prompt:  # counted separately from the prompt, or wrongly: include every token in the cost
        prompt += cached + written
        beside -= cached + written
    thinking = _count(_table(value.get("completion_tokens_details")), "reasoning_tokens") or 0
    completion += max(0, beside)
    return CountedUsage(prompt, completion, cached, written, min(max(thinking, beside, 0), completion))


def _table(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _count(table: Mapping[str, object], name: str) -> int | None:
    value = table.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None

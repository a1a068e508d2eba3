"""What each kind of failed request is called when failures are counted. Imports no client library; the app draws it."""

from collections.abc import Mapping

from engine.wording import counted

# By `FaultKind`. Each takes a plural "s".
NAMES: Mapping[str, str] = {
    "cut": "cut-off answer",
    "html": "web page",
    "not_json": "malformed response",
    "error_body": "error message",
    "no_choices": "empty response",
    "no_content": "empty answer",
    "bad_text": "garbled answer",
    "duplicated": "duplicated answer",
    "unknown_finish": "unknown finish reason",
    "stalled": "stalled answer",
    "too_slow": "slow answer",
    "too_long": "overlong answer",
    "broken": "broken connection",
    "unreachable": "failed connection",
    "certificate": "untrusted certificate",
    "no_tls": "unencrypted response",
    "redirect": "redirect",
    "rate_limited": "rate limit",
    "server": "server error",
    "key": "rejected key",
    "quota": "exhausted quota",
    "context": "overlong question",
    "content_filter": "filtered question",
    "refused": "refused request",
    "not_found": "wrong address or model",
}


def counted_faults(counts: Mapping[str, int]) -> str:
    """Return failures by kind, the most frequent first: `12 server errors, 1 web page`.

    A single kind comes without its number: whoever names it names the total too.
    """
    named = {kind: counted(count, NAMES.get(kind, kind)) for kind, count in counts.items()}
    if len(named) == 1:
        return next(iter(named.values())).partition(" ")[2]
    return ", ".join(named[kind] for kind in sorted(counts, key=lambda kind: (-counts[kind], kind)))

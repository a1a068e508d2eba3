"""Removes secrets from text before it is written anywhere: job logs, events, error messages.

By value: the content of environment variables that hold keys, and what was registered. By pattern: the shapes of common
keys, `Bearer …`, and whatever comes before the host of an address. Standard library only; knows nothing of where keys
are kept.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache

MASK = "‹redacted›"
# Shorter values ("EMPTY", "none") are placeholders of local servers; masking them would mangle ordinary text.
_SHORTEST_SECRET = 8
_KEY_VARIABLE = re.compile(r"_API_KEY(_|$)|^DISTILL_TUI_API_KEY|(^|_)(KEY|TOKEN|SECRET|PASSWORD|PASSWD)$|^HF_TOKEN")
_PATTERNS = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|gsk_[A-Za-z0-9]{16,}|xai-[A-Za-z0-9]{16,}"
    r"|AIza[A-Za-z0-9_-]{30,})"
    r"|(?<=://)[^\s/\"'<>]+(?=@)"
    r"|(?<=bearer )[A-Za-z0-9._~+/=-]{8,}",
    re.IGNORECASE,
)
_registered: set[str] = set()


def register_secret(value: str) -> None:
    """Make `redact` mask this value in this process from now on. Values under eight characters are not masked."""
    _registered.add(value)


def redact(text: str) -> str:
    """Return `text` with every known secret, and everything shaped like one, replaced by `‹redacted›`."""
    if len(text) < _SHORTEST_SECRET:
        return text
    for secret in _longest_first({*_registered, *_environment()}):
        # Server errors quote requests, where the value is in its JSON form.
        for form in {secret, json.dumps(secret)[1:-1]}:
            if form in text:
                text = text.replace(form, MASK)
    return _PATTERNS.sub(MASK, text)


def _environment() -> Iterable[str]:
    # Read every time: a program may set its key after this module was imported.
    return (os.environ[name] for name in os.environ if _holds_a_key(name))


@cache
def _holds_a_key(variable: str) -> bool:
    return _KEY_VARIABLE.search(variable) is not None


def without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a foreign program: without keys, except that of the hub, from which it reads."""
    return {name: value for name, value in environment.items() if name == "HF_TOKEN" or not _holds_a_key(name)}


def _longest_first(secrets: set[str]) -> list[str]:
    # One key may be the beginning of another: the longer must go first, or its end would remain.
    return sorted((secret for secret in secrets if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)

"""Regular expressions from files, made safe: compiled with clear errors, searched under a time limit.

The standard library's `re` cannot be interrupted, and a careless pattern can backtrack for hours; `regex` has the same
syntax and takes a timeout. Knows nothing of rules.
"""

import time
from dataclasses import dataclass

import regex

MAX_PATTERN_CHARACTERS = 2_000
SEARCH_LIMIT_S = 1.0  # a reasonable pattern needs milliseconds for the longest answer that is checked


class PatternError(ValueError):
    """The text is not a usable regular expression; the message says why and where."""


class PatternTimeoutError(Exception):
    """The search took longer than `SEARCH_LIMIT_S`."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern matched, and where its first group did (the whole match if there is no group)."""

    start: int
    end: int
    group_start: int
    group_end: int


class Pattern:
    """A compiled pattern. `groups` is how many capturing groups it has."""

    def __init__(self, text: str) -> None:
        """Raise PatternError if the text is empty, too long or not a regular expression."""
        if not text:
            raise PatternError("the pattern is empty")
        if len(text) > MAX_PATTERN_CHARACTERS:
            raise PatternError(f"the pattern has {len(text)} characters; the limit is {MAX_PATTERN_CHARACTERS}")
        try:
            self._compiled = regex.compile(text)
        except (regex.error, OverflowError, RecursionError, KeyError) as error:
            raise PatternError(f"not a regular expression: {error}") from error
        self.groups: int = self._compiled.groups

    def search(self, text: str) -> Match | None:
        """Return the first match in `text`. Raises PatternTimeoutError after `SEARCH_LIMIT_S` of this thread's time."""
        found = self._found(text)
        if found is None:
            return None
        group = 1 if self.groups and found.span(1) != (-1, -1) else 0
        return Match(*found.span(0), *found.span(group))

    def _found(self, text: str) -> "regex.Match[str] | None":
        began = time.thread_time()
        while True:
            try:
                return self._compiled.search(text, timeout=SEARCH_LIMIT_S)
            except TimeoutError as error:
                # The library counts the processor time of all threads: the pattern is not to blame for that of others.
                if time.thread_time() - began >= SEARCH_LIMIT_S:
                    raise PatternTimeoutError from error


def find_text(needle: str, text: str) -> tuple[tuple[int, int], ...]:
    """Every occurrence of a plain text, ignoring case, as (start, end). Never backtracks."""
    return tuple(found.span() for found in regex.finditer(regex.escape(needle), text, regex.IGNORECASE))

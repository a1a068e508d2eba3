"""Regular expressions from files, made safe: compiled with clear errors, searched under a time limit.

The standard library's `re` cannot be stopped, and one careless pattern can backtrack for hours; `regex` speaks the
same language and takes a timeout. Knows nothing of rules.
"""

import time
from dataclasses import dataclass

import regex

MAX_PATTERN_CHARACTERS = 2_000
SEARCH_LIMIT_S = 1.0  # a sane pattern needs milliseconds over the longest answer that is checked


class PatternError(ValueError):
    """The text is no usable regular expression; the message says why and where."""


class PatternTimeoutError(Exception):
    """The search took longer than `SEARCH_LIMIT_S`."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern matched, and where its first group did (the whole match where there is no group)."""

    start: int
    end: int
    group_start: int
    group_end: int


class Pattern:
    """A compiled pattern. `groups` is how many capturing groups it has."""

    def __init__(self, text: str) -> None:
        """Raises PatternError where the text is empty, too long or not a regular expression."""
        if not text:
            raise PatternError("the pattern is empty")
        if len(text) > MAX_PATTERN_CHARACTERS:
            raise PatternError(f"the pattern has {len(text)} characters; at most {MAX_PATTERN_CHARACTERS} are read")
        try:
            self._compiled = regex.compile(text)
        except (regex.error, OverflowError, RecursionError, KeyError) as error:
            raise PatternError(f"not a regular expression: {error}") from error
        self.groups: int = self._compiled.groups

    def search(self, text: str) -> Match | None:
        """The first match anywhere in `text`. Raises PatternTimeoutError after `SEARCH_LIMIT_S` of a thread's time."""
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
                # The library counts the processor time of all threads: what others used is no fault of the pattern.
                if time.thread_time() - began >= SEARCH_LIMIT_S:
                    raise PatternTimeoutError from error


def find_text(needle: str, text: str) -> tuple[tuple[int, int], ...]:
    """Every place of a plain text, whatever its case, as (start, end). Never backtracks."""
    return tuple(found.span() for found in regex.finditer(regex.escape(needle), text, regex.IGNORECASE))

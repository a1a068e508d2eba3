"""A search that takes too long is given up; one that a machine held up is not."""

import pytest

from engine.rules import patterns
from engine.rules.patterns import Pattern, PatternTimeoutError


class HeldUp:
    """A compiled pattern whose first searches, so many, come too late."""

    def __init__(self, pattern: Pattern, late: int) -> None:
        self.searched, self._real, self._late = 0, pattern._compiled, late

    def search(self, text: str, timeout: float) -> object:
        self.searched += 1
        if self.searched <= self._late:
            raise TimeoutError
        return self._real.search(text, timeout=timeout)


def test_a_machine_that_stood_still_once_breaks_no_rule() -> None:
    pattern = Pattern("b+")
    pattern._compiled = HeldUp(pattern, late=1)
    found = pattern.search("abb")
    assert found is not None
    assert (found.start, found.end) == (1, 3)


def test_a_pattern_that_is_late_twice_is_given_up() -> None:
    pattern = Pattern("b+")
    pattern._compiled = held = HeldUp(pattern, late=9)
    with pytest.raises(PatternTimeoutError):
        pattern.search("abb")
    assert held.searched == 2


def test_a_pattern_that_backtracks_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SEARCH_LIMIT_S", 0.05)
    with pytest.raises(PatternTimeoutError):
        Pattern(r"(a|aa)+$").search("a" * 4_000 + "b")

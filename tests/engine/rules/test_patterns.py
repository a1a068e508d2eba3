"""A search that takes too long is given up; one that only others' work held up is not."""

import hashlib
import threading
from collections.abc import Iterator

import pytest

from engine.rules import patterns
from engine.rules.patterns import Pattern, PatternTimeoutError

SLOW = r"(a|aa)+$"


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """Other threads of the process use up the processor."""
    ended, data = threading.Event(), b"x" * 1_000_000

    def work() -> None:
        while not ended.is_set():
            hashlib.sha256(data).digest()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    yield
    ended.set()
    for thread in threads:
        thread.join()


def test_a_pattern_that_backtracks_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SEARCH_LIMIT_S", 0.05)
    with pytest.raises(PatternTimeoutError):
        Pattern(SLOW).search("a" * 4_000 + "b")


@pytest.mark.usefixtures("busy_threads")
def test_a_pattern_that_backtracks_for_ever_is_given_up_beside_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SEARCH_LIMIT_S", 0.05)
    with pytest.raises(PatternTimeoutError):
        Pattern(SLOW).search("a" * 4_000 + "b")


def test_what_other_threads_use_is_not_counted() -> None:
    pattern = Pattern("b+")
    pattern._compiled = HeldUp(pattern, late=3)
    found = pattern.search("abb")
    assert found is not None
    assert (found.start, found.end) == (1, 3)


class HeldUp:
    """A compiled pattern whose first searches, so many, end late without having used this thread's time."""

    def __init__(self, pattern: Pattern, late: int) -> None:
        self._real, self._late = pattern._compiled, late

    def search(self, text: str, timeout: float) -> object:
        self._late -= 1
        if self._late >= 0:
            raise TimeoutError
        return self._real.search(text, timeout=timeout)

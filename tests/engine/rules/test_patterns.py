"""The time limit of a search: it stops endless backtracking, and does not count the work of other threads."""

import hashlib
import threading
from collections.abc import Iterator

import pytest

from engine.rules import patterns
from engine.rules.patterns import Pattern, PatternTimeoutError

SLOW = r"(a|aa)+$"


@pytest.fixture(params=[0, 4], ids=["alone", "beside busy threads"])
def busy_threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run this many threads that keep the processor busy."""
    stopped, data = threading.Event(), b"x" * 1_000_000

    def work() -> None:
        while not stopped.is_set():
            hashlib.sha256(data).digest()

    threads = [threading.Thread(target=work) for _ in range(request.param)]
    for thread in threads:
        thread.start()
    yield
    stopped.set()
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("busy_threads")
def test_endless_backtracking_is_stopped_at_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SEARCH_LIMIT_S", 0.05)
    with pytest.raises(PatternTimeoutError):
        Pattern(SLOW).search("a" * 4_000 + "b")


def test_time_used_by_other_threads_is_not_counted() -> None:
    pattern = Pattern("b+")
    pattern._compiled = DelayedPattern(pattern, delays=3)
    found = pattern.search("abb")
    assert found is not None
    assert (found.start, found.end) == (1, 3)


class DelayedPattern:
    """A compiled pattern whose first `delays` searches time out without using this thread's CPU time."""

    def __init__(self, pattern: Pattern, delays: int) -> None:
        self._real, self._delays = pattern._compiled, delays

    def search(self, text: str, timeout: float) -> object:
        self._delays -= 1
        if self._delays >= 0:
            raise TimeoutError
        return self._real.search(text, timeout=timeout)

"""Answers in progress, as events: text is batched so that dozens of rows decoded together do not flood the log."""

import time
from collections.abc import Callable

from engine.jobs.protocol import AnswerDelta, AnswerEnded, AnswerStarted, Event

FLUSH_EVERY_S = 0.25  # per stream


def answering_note(arm: str, probe: str | None = None) -> str:
    """Return the progress note while an arm answers, which the app compares with the answers that are in progress."""
    return f"{arm} answers ({probe} probes)" if probe else f"{arm} answers"


class AnswerStreams:
    """Follows any number of answers; `emit` receives their events."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._waiting: dict[str, str] = {}
        self._flushed_at: dict[str, float] = {}

    def start(self, stream: str, arm: str, question: str) -> None:
        """An answer starts, or starts again."""
        self._waiting[stream] = ""
        self._flushed_at[stream] = time.monotonic()
        self._emit(AnswerStarted(stream, arm, question))

    def feed(self, stream: str, text: str) -> None:
        """Add text; it is emitted with the next text after `FLUSH_EVERY_S`, or at the end of the answer."""
        self._waiting[stream] += text
        now = time.monotonic()
        if self._waiting[stream] and now - self._flushed_at[stream] >= FLUSH_EVERY_S:
            self._emit(AnswerDelta(stream, self._waiting[stream]))
            self._waiting[stream] = ""
            self._flushed_at[stream] = now

    def end(self, stream: str, answer: str, passed: bool, note: str = "") -> None:
        """The answer is complete. The event carries all of it, so that buffered text is not sent twice."""
        del self._waiting[stream], self._flushed_at[stream]
        self._emit(AnswerEnded(stream, answer, passed, note))

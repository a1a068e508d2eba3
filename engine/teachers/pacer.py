"""One pace for all requests to one endpoint: how many at once, and when to send none at all.

Additive increase, multiplicative decrease, as in TCP: a 429 pauses all requests and halves the number in flight, and
each answer raises it a little. A burst of refusals then costs a few requests, not one per question and retry.
Knows nothing of what is asked.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Pacer:
    """Rate limiter shared by all tasks of one event loop. `slots` is the maximum number of requests in flight."""

    def __init__(self, slots: int) -> None:
        self.slots = max(1, slots)
        self.requests = 0  # ever sent, retries included
        self._allowed = float(self.slots)
        self._in_flight = 0
        self._paused_until = 0.0
        self._last_cut = 0.0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a turn; counts one request."""
        async with self._changed:
            while True:
                pause = self._paused_until - time.monotonic()
                if pause <= 0 and self._in_flight < max(1, int(self._allowed)):
                    break
                if pause > 0:
                    try:
                        await asyncio.wait_for(self._changed.wait(), pause)
                    except TimeoutError:
                        continue
                else:
                    await self._changed.wait()
            self._in_flight += 1
            self.requests += 1
        try:
            yield
        finally:
            async with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def slow_down(self, seconds: float) -> None:
        """Send nothing for `seconds`, and halve the number in flight: once per pause, however many were refused."""
        now = time.monotonic()
        if now >= self._paused_until and now > self._last_cut:
            self._allowed = max(1.0, self._allowed / 2)
        self._paused_until = max(self._paused_until, now + seconds)
        self._last_cut = self._paused_until

    def speed_up(self) -> None:
        """After an answer, allow a little more, up to `slots`."""
        self._allowed = min(float(self.slots), self._allowed + 1 / self._allowed)

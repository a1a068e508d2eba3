"""The queue between the two threads of a server: requests go in, pieces of answers come back.

The web thread puts requests on it and waits for pieces; the model thread takes requests and sends pieces. It also says
whether requests are accepted at all, and if not, why. Knows nothing of HTTP or of models.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from engine.serving.catalog import ServedArm
from engine.serving.requests import RequestRefusedError

# `starting`: the device has not been asked for yet; `wanted`: it finishes what it has, then yields to another job.
Status = Literal["starting", "waiting", "loading", "ready", "paused", "wanted", "closed"]
MOST_WAITING = 64

_WORDS: dict[Status, str] = {
    "starting": "The server is starting.",
    "waiting": "The model is not in memory: another job is using the device.",
    "loading": "The model is being loaded.",
    "ready": "",
    "paused": "The server is paused.",
    "wanted": "Another job is waiting for the device: no new answers start until it has finished.",
    "closed": "The server is stopping.",
}


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer is about to be computed, by exactly this adapter (empty: none)."""

    adapter_sha256: str


@dataclass(frozen=True, slots=True)
class Text:
    """More of the answer: whole characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is complete."""

    finish_reason: Literal["stop", "length"]
    completion_tokens: int
    first_token_s: float  # since the request was queued, as is `seconds`
    seconds: float


Piece = Begun | Text | Ended | RequestRefusedError


@dataclass(slots=True, eq=False)
class Ask:
    """One valid request, and the way back to whoever waits for its answer. Made in the web thread."""

    arm: ServedArm
    ids: list[int]
    prefix_ids: tuple[int, ...]
    max_new_tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: tuple[str, ...]
    put_at: float
    gone: bool = False  # nobody is waiting any more
    _pieces: "asyncio.Queue[Piece]" = field(default_factory=asyncio.Queue)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def send(self, piece: Piece) -> None:
        """Send the next piece, from the model thread. It is lost if the web thread has ended."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def piece(self) -> Begun | Text | Ended:
        """Wait, in the web thread, for the next piece. Raises the `RequestRefusedError` if one was sent instead."""
        piece = await self._pieces.get()
        if isinstance(piece, RequestRefusedError):
            raise piece
        return piece


class RequestQueue:
    """Where both threads meet. `why` returns the reason that only the job knows, such as who holds the device."""

    def __init__(self, why: Callable[[], str] = lambda: "") -> None:
        self._why = why
        self._lock = threading.Lock()
        self._arrived = threading.Event()
        self._asks: list[Ask] = []
        self._status: Status = "starting"

    @property
    def status(self) -> Status:
        return self._status

    @property
    def words(self) -> str:
        """The status in a sentence; empty while the server is ready."""
        return " ".join(part for part in (_WORDS[self._status], self._reason()) if part)

    def put(self, ask: Ask) -> None:
        """Give a request to the model thread. Raises `RequestRefusedError` if none is accepted now."""
        with self._lock:
            if self._status != "ready":
                raise self.refusal()
            if len(self._asks) >= MOST_WAITING:
                raise RequestRefusedError(
                    "Too many requests are waiting.", status=429, kind="rate_limit_error",
                    code="rate_limit_exceeded", retry_after_s=1,
                )  # fmt: skip
            self._asks.append(ask)
            self._arrived.set()

    def take(self) -> list[Ask]:
        """Take all requests that have arrived, in the model thread."""
        with self._lock:
            self._arrived.clear()
            asks, self._asks = self._asks, []
            return asks

    def wait(self, seconds: float) -> None:
        """Wait, in the model thread, until a request arrives, for at most this many seconds."""
        self._arrived.wait(seconds)

    def become(self, status: Status) -> None:
        """Set the status; requests not yet taken are refused unless the new status still serves them."""
        with self._lock:
            self._status = status
            left = [] if status in ("ready", "wanted") else self._asks
            if left:
                self._asks = []
                refusal = self.refusal()
                for ask in left:
                    ask.send(refusal)

    def refusal(self) -> RequestRefusedError:
        """The refusal sent to clients while no requests are accepted."""
        return RequestRefusedError(
            self.words, status=503, kind="server_error", code=f"server_{self._status}", retry_after_s=2
        )

    def _reason(self) -> str:
        why = self._why() if self._status == "waiting" else ""
        return f"{why.rstrip('.')}." if why else ""

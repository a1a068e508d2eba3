"""The counter between the two threads of a server: requests go in, pieces of answers come back.

The web's thread puts requests on it and waits for pieces; the model's thread takes requests and sends pieces. It says
whether anything is taken at all, and why not. Knows nothing of HTTP or of models.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from engine.serving.catalog import ServedArm
from engine.serving.requests import Refusal

# `starting` until the device was first asked for; `wanted`: it finishes what it has, then gives way to another job.
Status = Literal["starting", "waiting", "loading", "ready", "paused", "wanted", "closed"]
MOST_WAITING = 64

_WORDS: dict[Status, str] = {
    "starting": "The server is starting.",
    "waiting": "The model is not in memory: another job has the device.",
    "loading": "The model is being loaded.",
    "ready": "",
    "paused": "The server is paused.",
    "wanted": "Another job waits for the device: nothing new is begun until that job has ended.",
    "closed": "The server is stopping.",
}


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer is about to be computed, by exactly this adapter (empty: by none)."""

    adapter_sha256: str


@dataclass(frozen=True, slots=True)
class Text:
    """More of the answer: whole characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is whole."""

    finish_reason: Literal["stop", "length"]
    completion_tokens: int
    first_token_s: float  # since the request was put on the desk, as is the next
    seconds: float


Piece = Begun | Text | Ended | Refusal


@dataclass(slots=True, eq=False)
class Ask:
    """One request that can be carried out, and the way back to who waits for it. Made in the web's thread."""

    arm: ServedArm
    ids: list[int]
    prefix_ids: tuple[int, ...]
    max_new_tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: tuple[str, ...]
    put_at: float
    gone: bool = False  # nobody waits any more
    _pieces: "asyncio.Queue[Piece]" = field(default_factory=asyncio.Queue)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def send(self, piece: Piece) -> None:
        """From the model's thread: the next piece. Where the web's thread has ended, it is lost."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def piece(self) -> Begun | Text | Ended:
        """In the web's thread: the next piece. Raises the `Refusal` that was sent instead."""
        piece = await self._pieces.get()
        if isinstance(piece, Refusal):
            raise piece
        return piece


class Desk:
    """Where both threads meet. `why` adds the reason that only the job knows, such as who holds the device."""

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
        """The status in a sentence; empty while all is well."""
        return " ".join(part for part in (_WORDS[self._status], self._reason()) if part)

    def put(self, ask: Ask) -> None:
        """Give a request to the model's thread. Raises `Refusal` where none is taken now."""
        with self._lock:
            if self._status != "ready":
                raise self.refusal()
            if len(self._asks) >= MOST_WAITING:
                raise Refusal(
                    "Too many requests are waiting.", status=429, kind="rate_limit_error",
                    code="rate_limit_exceeded", retry_after_s=1,
                )  # fmt: skip
            self._asks.append(ask)
            self._arrived.set()

    def take(self) -> list[Ask]:
        """In the model's thread: all that has arrived."""
        with self._lock:
            self._arrived.clear()
            asks, self._asks = self._asks, []
            return asks

    def wait(self, seconds: float) -> None:
        """In the model's thread: until something arrives, at most so long."""
        self._arrived.wait(seconds)

    def become(self, status: Status) -> None:
        """From now on this holds; what was put before and is not taken yet is refused, unless it will still be."""
        with self._lock:
            self._status = status
            left = [] if status in ("ready", "wanted") else self._asks
            if left:
                self._asks = []
                refusal = self.refusal()
                for ask in left:
                    ask.send(refusal)

    def refusal(self) -> Refusal:
        """What a client is told while nothing is taken."""
        return Refusal(self.words, status=503, kind="server_error", code=f"server_{self._status}", retry_after_s=2)

    def _reason(self) -> str:
        why = self._why() if self._status == "waiting" else ""
        return f"{why.rstrip('.')}." if why else ""

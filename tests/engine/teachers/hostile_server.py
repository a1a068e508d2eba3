"""A chat completions server on loopback that misbehaves as scripted, byte by byte, and records each request."""

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def question(self) -> str:
        return str(self.body["messages"][-1]["content"])


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class HostileServer:
    """Each request gets the next behaviour; the last one is repeated."""

    behaviours: list[Behaviour] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    in_flight: int = 0
    most_in_flight: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> "HostileServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Request(first.split(" ")[1], headers, json.loads(body))
            self.requests.append(request)
            index = min(len(self.requests), len(self.behaviours)) - 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                await self.behaviours[index](request, writer)
                await writer.drain()
            finally:
                self.in_flight -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def head(status: str = "200 OK", kind: str = "text/event-stream", *more: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"content-type: {kind}", "connection: close", *more, "", ""]).encode()


def event(value: object, end: str = "\n\n") -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}{end}".encode()


def delta(text: str | None, finish: str | None = None) -> dict[str, object]:
    return {"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def usage(prompt: int = 30, completion: int = 3, **details: int) -> dict[str, object]:
    counts: dict[str, object] = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {"id": "c", "choices": [], "usage": counts | ({"prompt_tokens_details": details} if details else {})}


DONE = b"data: [DONE]\n\n"


def raw(*chunks: bytes, pause: float = 0.0) -> Behaviour:
    """Write these bytes, each as its own packet, then close."""

    async def run(request: Request, writer: asyncio.StreamWriter) -> None:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)

    return run


def good(*pieces: str, finish: str = "stop", end: str = "\n\n") -> Behaviour:
    """A well-behaved stream of these pieces."""
    parts = pieces or ("An", " answer", ".")
    events = [event(delta(piece), end) for piece in parts]
    return raw(head(), *events, event(delta(None, finish), end), event(usage(completion=len(parts)), end), DONE)


def status(line: str, body: object, *headers: str) -> Behaviour:
    return raw(head(line, "application/json", *headers) + json.dumps(body).encode())


def json_body(body: object, kind: str = "application/json") -> Behaviour:
    return raw(head("200 OK", kind) + (body if isinstance(body, bytes) else json.dumps(body).encode()))


def stalls(*chunks: bytes) -> Behaviour:
    """Write these bytes, then nothing, holding the connection open."""

    async def run(request: Request, writer: asyncio.StreamWriter) -> None:
        for chunk in chunks:
            writer.write(chunk)
        await writer.drain()
        await asyncio.Event().wait()

    return run


def error(message: str, code: str = "") -> dict[str, Sequence[str] | dict[str, str]]:
    return {"error": {"message": message, "code": code, "type": "error"}}


@contextmanager
def served(*behaviours: Behaviour) -> Iterator[HostileServer]:
    """Run the server in a separate thread, for callers with their own event loop or in another process."""
    server = HostileServer(list(behaviours))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
        try:
            yield server
        finally:  # otherwise a failing test is reported as leaving a socket open
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

"""Limits on a response's body while it is read. Knows nothing of what the body contains."""

import asyncio
from collections.abc import AsyncIterator

import httpx2

from engine.teachers.faults import EndpointFault


class GuardedStream(httpx2.AsyncByteStream):
    """The bytes of a response, with at most `stall_s` seconds between chunks and at most `most_bytes` in all.

    Raises `EndpointFault` beyond either.
    """

    def __init__(self, stream: httpx2.AsyncByteStream, stall_s: float, most_bytes: int) -> None:
        self._stream = stream
        self._stall_s = stall_s
        self._most_bytes = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        chunks = aiter(self._stream)
        while True:
            try:
                async with asyncio.timeout(self._stall_s):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise EndpointFault("stalled", f"Nothing was received for {self._stall_s:.0f} s.") from error
            received += len(chunk)
            if received > self._most_bytes:
                raise EndpointFault("too_long", f"More than {self._most_bytes:,} bytes.")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()

"""A teacher at an external endpoint, asked like an arm of the server: the prompt first, then the conversation.

Retries, limits and the checks of answers are those of `teachers.endpoint`; costs are computed from given prices, else
from list prices.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from types import TracebackType

from engine.economics.prices import cost_usd, prices_for
from engine.paths import Home
from engine.records.cost import EndpointPrices
from engine.records.example import Usage
from engine.records.options import TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.serving.client import Answer
from engine.teachers.endpoint import EndpointTeacher
from engine.teachers.faults import EndpointFault
from engine.teachers.keys import key_for

_LONGEST = 1024  # answer tokens if no limit is set, as in the local server


@dataclass(frozen=True, slots=True)
class Restarted:
    """The answer broke off and is requested again: discard the text so far."""

    why: str


class RemoteClient(AbstractAsyncContextManager["RemoteClient"]):
    """Asks one teacher. Use it as an async context manager."""

    def __init__(
        self,
        spec: TeacherSpec,
        prompt: Prompt | None,
        home: Home,
        on_billed: Callable[[Usage], None],
        given: Sequence[EndpointPrices] = (),
    ) -> None:
        """`on_billed` is called with the usage that each attempt is billed for, including an answer that breaks off.

        `given`: the prices in the project's settings. Raises `UsageError` for a bad address and `EndpointError` if the
        key is missing.
        """
        self._spec, self._prompt, self._given = spec, prompt, given
        key = key_for(spec.base_url, home)
        self._teacher = EndpointTeacher(spec, key, concurrency=4, on_billed=on_billed)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._teacher.__aexit__(kind, error, trace)

    async def stream(
        self, messages: Sequence[Message], *, temperature: float, max_tokens: int | None = None
    ) -> AsyncGenerator[str | Restarted | Answer, None]:
        """Yield text as it comes, then one `Answer`. Raises `EndpointFault` if no attempt gave a complete one."""
        pieces: asyncio.Queue[str | Restarted | None] = asyncio.Queue()

        def on_retry(fault: EndpointFault) -> None:
            pieces.put_nowait(Restarted(f"{fault.title} {fault.message}".strip()))

        before = self._prompt.messages if self._prompt is not None else ()
        asking = asyncio.create_task(
            self._teacher.answer(
                (*before, *messages),
                temperature=temperature,
                max_tokens=max_tokens or _LONGEST,
                on_delta=pieces.put_nowait,
                on_retry=on_retry,
            )
        )
        asking.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            answer = await asking
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError, EndpointFault):
                await asking
        prices = prices_for(self._given, self._spec.model, self._spec.base_url, answer.usage.prompt_tokens)
        yield Answer(
            answer.text,
            answer.finish_reason,
            answer.usage.prompt_tokens,
            answer.usage.completion_tokens,
            answer.ttft_s,
            answer.seconds,
            None,
            None if prices is None else cost_usd(prices, answer.usage),
        )

"""One OpenAI-compatible chat completions endpoint as a teacher: streams, retries, and accepts only complete answers.

The client library makes the requests. Retries, pacing, limits and the validation of answers are here, because the
library ends silently when a stream is cut, sleeps inside calls for as long as a server asks, and follows redirects with
the prompt. Knows nothing of questions, budgets or the store.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from urllib.parse import urlsplit

import aiohttp
import httpx2
import openai
import tenacity

from engine.economics.tokens import count_tokens
from engine.records.example import FinishReason, Usage
from engine.records.options import TeacherSpec
from engine.records.prompt import Message
from engine.teachers.answer_reader import AnswerReader, CountedUsage
from engine.teachers.fault_kinds import FAULTS
from engine.teachers.faults import EndpointFault, fault_of
from engine.teachers.guarded_stream import GuardedStream
from engine.teachers.key_guard import KeyGuard
from engine.teachers.keys import KEYLESS, check_address, is_loopback, variable_of
from engine.teachers.pacer import Pacer
from engine.teachers.request_format import MOST_CHANGES, RequestFormat
from engine.wording import counted

_CAUGHT = (openai.OpenAIError, aiohttp.ClientError, httpx2.HTTPError, OSError, ValueError, RecursionError)
_TOKENS_A_MESSAGE = 4  # role and separators; within a token or two for every chat template


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """Timeouts in seconds, and limits in bytes and tries."""

    connect_s: float = 15.0
    first_byte_s: float = 300.0  # reading a long prompt on a busy CPU takes minutes
    stall_s: float = 120.0  # between two pieces of one answer
    total_s: float = 1800.0
    end_s: float = 10.0  # after the finish reason, for the usage and the end of the stream
    response_bytes: int = 32_000_000  # an event's JSON is hundreds of times its text
    tries: int = 7
    empty_tries: int = 2  # for an empty answer that finished normally: each is billed, and the next is rarely different
    longest_wait_s: float = 60.0  # if the server does not name a delay


@dataclass(frozen=True, slots=True)
class EndpointAnswer:
    """An accepted answer. `usage.cost_usd` is 0, because prices are not known here."""

    text: str
    finish_reason: FinishReason
    usage: Usage
    seconds: float
    ttft_s: float  # from the request to the first text
    thinking_tokens: int | None = 0  # completion tokens spent on thinking that was not sent; None: unknown


class EndpointTeacher(AbstractAsyncContextManager["EndpointTeacher"]):
    """Async context manager for use from one event loop. `answer` may run concurrently."""

    def __init__(
        self,
        spec: TeacherSpec,
        key: str,
        *,
        concurrency: int = 16,
        limits: EndpointLimits | None = None,
        on_note: Callable[[str], None] | None = None,
        on_billed: Callable[[Usage], None] | None = None,
    ) -> None:
        """`on_billed` receives the billed usage of every try, including failed and cancelled ones."""
        self.base_url = check_address(spec.base_url)
        self.model = spec.model
        self.limits = limits or EndpointLimits()
        self.pacer = Pacer(concurrency)
        self._on_note = on_note or (lambda _: None)
        self._on_billed = on_billed or (lambda _: None)
        self._key = key
        self.has_answered = False  # while it has not, a web page means a wrong address
        self._client = openai.AsyncOpenAI(
            api_key=key,
            base_url=self.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(None, connect=self.limits.connect_s),
            http_client=openai.DefaultAioHttpClient(
                verify=_trust(),
                trust_env=not is_loopback(self.base_url),  # never send a loopback server's key through a proxy
                follow_redirects=False,
                event_hooks={"response": [self._guard]},
                limits=httpx2.Limits(max_connections=max(1, concurrency), max_keepalive_connections=concurrency),
            ),
        )
        if urlsplit(self.base_url).hostname != "api.openai.com":
            # The library reads both from the environment and would send them to any host.
            self._client.organization = None
            self._client.project = None
        self._format = RequestFormat(self.base_url, self.model, self._on_note)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def answer(
        self,
        messages: Sequence[Message],
        *,
        temperature: float,
        max_tokens: int,
        on_delta: Callable[[str], None] | None = None,
        on_retry: Callable[[EndpointFault], None] | None = None,
    ) -> EndpointAnswer:
        """Ask until a complete answer arrives. `on_delta` receives text as it streams; `on_retry` receives each failed
        try with its billed usage. If `on_retry` raises, the error propagates and there is no retry.

        Raises `EndpointFault`. Its `scope` is `question` if only this question is affected, `job` if all are, and
        `retry` if all tries failed for a reason that says nothing about the question, such as an outage.
        """
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, EndpointFault) and error.scope == "retry"
            ),
            stop=self._is_last,
            wait=self._wait,
            before_sleep=lambda state: self._before_sleep(state, on_retry),
            reraise=True,
        )
        tries = 0
        try:
            async for attempt in retrying:
                tries += 1
                with attempt:
                    async with self.pacer.slot():
                        return await self._try(messages, temperature, max_tokens, on_delta)
        except EndpointFault as fault:
            if fault.scope == "retry":
                detail = f"{fault.message} Tried {counted(tries, 'time')}.".strip()
                scope = FAULTS[fault.kind].scope_at_last
                raise EndpointFault(fault.kind, detail, scope=scope, usage=fault.usage) from fault
            raise
        raise AssertionError("tenacity either returns or raises")

    async def _try(
        self,
        messages: Sequence[Message],
        temperature: float,
        max_tokens: int,
        on_delta: Callable[[str], None] | None,
    ) -> EndpointAnswer:
        started = time.monotonic()
        reader = AnswerReader()
        try:
            first_text = await self._read(reader, self._events(messages, temperature, max_tokens), on_delta)
            whole = reader.answer()
        except EndpointFault as named:
            named.usage = self._bill(reader, messages)
            if named.kind == "html" and not self.has_answered:
                named.scope = "job"  # a wrong address, not a proxy's passing trouble
            raise
        except asyncio.CancelledError:  # what has arrived is billed all the same
            self._bill(reader, messages)
            raise
        except _CAUGHT as error:
            fault = fault_of(error)
            if fault is None:
                raise
            fault.usage = self._bill(reader, messages)
            if fault.kind == "key":
                name = variable_of(self.base_url)
                text = f"No key was found; set {name}." if self._key == KEYLESS else f"Set {name} to override it."
                fault.message = f"{fault.message} {text}"
            if fault.kind == "rate_limited":
                self.pacer.slow_down(fault.retry_after_s or min(1.0, self.limits.longest_wait_s))
            raise fault from error
        self.has_answered = True
        self.pacer.speed_up()
        ended = time.monotonic()
        usage = self._usage(whole.usage, whole.text, messages)
        self._on_billed(usage)
        return EndpointAnswer(
            whole.text,
            whole.finish_reason,
            usage,
            ended - started,
            (first_text or ended) - started,
            whole.thinking_tokens,
        )

    async def _read(
        self, reader: AnswerReader, sent: AsyncGenerator[object, None], on_delta: Callable[[str], None] | None
    ) -> float:
        """Feed all events to the reader; return the time of the first text, or 0."""
        first_text, guard = 0.0, KeyGuard(self._key)
        try:
            async with asyncio.timeout(self.limits.total_s) as ends, aclosing(sent) as events:
                async for event in events:
                    text = reader.feed(event)
                    if reader.finished:  # usage may follow, or nothing if the server never closes the stream
                        by = asyncio.get_running_loop().time() + self.limits.end_s
                        ends.reschedule(min(ends.when() or by, by))
                    if text:
                        safe = guard.safe_part(text)
                        first_text = first_text or time.monotonic()
                        if on_delta is not None and safe:
                            on_delta(safe)
        except TimeoutError as error:
            if not reader.finished:
                raise EndpointFault("too_slow", f"More than {self.limits.total_s:.0f} s.") from error
        if on_delta is not None and (rest := guard.rest()):
            on_delta(rest)
        return first_text

    async def _events(
        self, messages: Sequence[Message], temperature: float, max_tokens: int
    ) -> AsyncGenerator[object, None]:
        """Yield the decoded JSON of every event, or of the single body if the server does not stream."""
        stream = await self._open(messages, temperature, max_tokens)
        async with stream:
            kind = stream.response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind in ("text/html", "application/xhtml+xml"):
                raise EndpointFault("html", f"Content type {kind}.")
            if kind == "text/event-stream":
                async for event in stream:
                    yield event
                return
            body = await stream.response.aread()
            if not body.strip():
                raise EndpointFault("cut", "The body is empty.")
            if body.lstrip()[:1] == b"<":
                raise EndpointFault("html", f"Content type {kind or 'missing'}.")
            text = body.decode()
            try:
                whole: object = json.loads(text)
            except ValueError as error:  # such as an event stream that is not declared as one
                raise EndpointFault("not_json", f"Content type {kind or 'missing'}: {error}.") from error
            yield whole

    async def _open(
        self, messages: Sequence[Message], temperature: float, max_tokens: int
    ) -> openai.AsyncStream[object]:
        for changes_left in range(MOST_CHANGES, -1, -1):
            body = self._format.request(messages, temperature, max_tokens)
            try:
                async with asyncio.timeout(self.limits.first_byte_s):
                    # Events are read as plain JSON: the library builds its models without validation, so their
                    # declared types would promise more than a server guarantees.
                    return await self._client.post(
                        "/chat/completions",
                        cast_to=object,
                        body=body,
                        options={"headers": {"accept-encoding": "identity"}},
                        stream=True,
                        stream_cls=openai.AsyncStream[object],
                    )
            except TimeoutError as error:
                raise EndpointFault("stalled", f"No answer started within {self.limits.first_byte_s:.0f} s.") from error
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if not (changes_left and self._format.learn(str(error.body or error.message), body)):
                    raise
        raise AssertionError("the last refusal is raised")

    async def _guard(self, response: httpx2.Response) -> None:
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding != "identity":
            # A byte limit on what arrives does not bound a compressed body.
            raise EndpointFault(
                "refused", f"The body is compressed ({encoding}) although compression was declined.", scope="job"
            )
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = GuardedStream(response.stream, self.limits.stall_s, self.limits.response_bytes)

    def _bill(self, reader: AnswerReader, messages: Sequence[Message]) -> Usage | None:
        """Bill a try without an answer: what arrived is paid for, even if the server never sent its usage.

        Return None if nothing arrived.
        """
        text = reader.text.encode(errors="replace").decode()  # may contain half a character
        if not (reader.usage or text):
            return None
        usage = self._usage(reader.usage, text, messages)
        self._on_billed(usage)
        return usage

    def _usage(self, sent: CountedUsage | None, text: str, messages: Sequence[Message]) -> Usage:
        if sent is not None:
            return Usage(sent.prompt_tokens, sent.completion_tokens, sent.cached_tokens, sent.written_tokens)
        tokens = count_messages(messages, self.model), count_tokens(text, self.model).tokens
        return Usage(*tokens, counted_here=True)

    def _is_last(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome is not None else None
        return state.attempt_number >= self._tries_for(error)

    def _tries_for(self, error: BaseException | None) -> int:
        empty = isinstance(error, EndpointFault) and error.kind == "no_content"
        return min(self.limits.empty_tries, self.limits.tries) if empty else self.limits.tries

    def _wait(self, state: tenacity.RetryCallState) -> float:
        backoff = tenacity.wait_exponential_jitter(multiplier=0.5, max=self.limits.longest_wait_s, jitter=0.5)(state)
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.retry_after_s if isinstance(error, EndpointFault) and error.retry_after_s is not None else 0.0
        return max(backoff, asked)

    def _before_sleep(self, state: tenacity.RetryCallState, on_retry: Callable[[EndpointFault], None] | None) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        wait = state.next_action.sleep if state.next_action is not None else 0.0
        if isinstance(error, EndpointFault):  # nothing else is retried
            if on_retry is not None:
                on_retry(error)
            number = f"Retry {state.attempt_number} of {self._tries_for(error) - 1} in {wait:.0f} s"
            self._on_note(f"{number}: {error.title} {error.message}".strip())


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    # Loading the certificates takes longer than a request.
    return httpx2.create_ssl_context()


def count_messages(messages: Sequence[Message], model: str) -> int:
    """Return the tokens of a message list by the model's tokenizer; approximate, since its template is unknown."""
    return sum(count_tokens(message.content, model).tokens + _TOKENS_A_MESSAGE for message in messages)

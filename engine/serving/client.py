"""The one way to talk to the arms: find or start the project's server, then stream answers from it.

No model library is imported, so a process that draws may use it. Three steps:

    started = ensure_server(project)                                  # on the thread that has the project
    address = await wait_until_ready(project.folder, started.job, on_phase)   # any event loop
    async with ArmClient(address) as client:
        async for piece in client.stream("prompted", messages):       # str, … , then one Answer

Leaving the loop, or cancelling its task, ends the answer on the server too. A teacher at an external endpoint is asked
in the same way, with `RemoteClient` (remote.py).
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, cast, get_args

from engine.errors import ContextError, DistillError, JobError, NotFoundError, TeacherError, UsageError
from engine.jobs.control import resume
from engine.jobs.follow import read_all
from engine.jobs.liveness import is_at_work, mark_lost_jobs
from engine.jobs.protocol import StateChanged
from engine.records.job import Job
from engine.records.options import ServeOptions
from engine.records.prompt import Message, as_plain
from engine.serving.address import Address, read_address
from engine.serving.replies import Provenance
from engine.store.dataclass_json import decode

if TYPE_CHECKING:
    import httpx2

    from engine.project import Project

# In this order: the process starts; another job holds the device; the model is loaded; questions are answered.
Phase = Literal["starting", "waiting", "loading", "ready", "paused"]
OnPhase = Callable[[Phase, str], None]  # (phase, a sentence; none once it is ready)
_STARTING: tuple[Phase, str] = ("starting", "The server is starting.")
_POLL_S = 0.2
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Started:
    """The project's server. `new`: it was started now."""

    job: Job
    new: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """How an answer ended. `provenance` is None if the model is not served here."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    first_token_s: float  # from the request to the first text
    seconds: float
    provenance: Provenance | None
    cost_usd: float | None = None  # None: nothing is paid, or no price is known

    @property
    def tokens_per_second(self) -> float | None:
        """The rate after the first token; None if there was only one token, or no measurable time."""
        later, later_s = self.completion_tokens - 1, self.seconds - self.first_token_s
        return later / later_s if later > 0 and later_s > 0 else None


def find_server(project: "Project") -> Job | None:
    """Return the newest running server job, or None."""
    mark_lost_jobs(project)
    return next((job for job in reversed(project.jobs.live()) if job.kind == "serve"), None)


def ensure_server(project: "Project") -> Started:
    """Return the project's server; start it if there is none, and resume it if it is paused.

    Raises `JobError` if it cannot be started.
    """
    job = find_server(project)
    if job is None:
        return Started(project.start_job(ServeOptions()), new=True)
    if job.state == "paused":
        resume(project, job)
    return Started(job, new=False)


async def wait_until_ready(project_folder: Path, job: Job, on_phase: OnPhase | None = None) -> Address:
    """Return the server's address once it answers questions. `on_phase` is called at the start of each phase.

    Raises `JobError` with the job's own reason if it ends instead. Waits as long as another job holds the device.
    """
    folder = project_folder / job.folder
    reported: tuple[Phase, str] | None = None
    async with _http() as client:
        while True:
            address = read_address(folder)
            now: tuple[Phase, str] = _STARTING if address is None else await _phase(client, address)
            if now != reported:
                reported = now
                if on_phase is not None:
                    on_phase(*now)
            if address is not None and now[0] == "ready":
                return address
            if not is_at_work(job):
                raise JobError("The server has ended.", _last_words(folder), "Start it again: distill-tui serve")
            await asyncio.sleep(_POLL_S)


class ArmClient(AbstractAsyncContextManager["ArmClient"]):
    """Asks the arms of one server. Use it as an async context manager; streams may run concurrently."""

    def __init__(self, address: Address) -> None:
        import openai  # takes a second

        self._client = openai.AsyncOpenAI(
            api_key=address.token,
            base_url=address.base_url,
            max_retries=0,
            timeout=openai.Timeout(None, connect=_CONNECT_S),
            # Loopback is never behind a proxy, whatever the environment says.
            http_client=openai.DefaultAioHttpClient(trust_env=False),
        )
        # The library would take both from the environment.
        self._client.organization = self._client.project = None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def arms(self) -> tuple[str, ...]:
        """The names of all arms at full strength; ask for another strength as in `run-1@60`."""
        import openai

        try:
            return tuple([model.id async for model in self._client.models.list()])
        except openai.OpenAIError as error:
            raise _explained(error) from error

    async def stream(
        self,
        arm: str,
        messages: Sequence[Message],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
    ) -> AsyncGenerator[str | Answer, None]:
        """Yield text as it comes, then one `Answer`. None: the server's default, such as the project's temperature.

        Raises `NotFoundError` for an unknown arm, `ContextError` and `UsageError` for a conversation that cannot be
        answered, and `TeacherError` if the server does not answer now.
        """
        import aiohttp
        import httpx2
        import openai

        asked_at = time.monotonic()
        first_token_s: float | None = None
        pieces: list[str] = []
        body = {
            "model": arm,
            "messages": as_plain(messages),
            "temperature": temperature,
            "max_tokens": max_tokens,
            "seed": seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        try:
            events = await self._client.post(
                "/chat/completions",
                cast_to=object,
                body={name: value for name, value in body.items() if value is not None},
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
            async with events:
                finish_reason = ""
                async for event in events:
                    chunk = cast("dict[str, object]", event)
                    text, reason = _delta(chunk)
                    if text:
                        if first_token_s is None:
                            first_token_s = time.monotonic() - asked_at
                        pieces.append(text)
                        yield text
                    finish_reason = reason or finish_reason
                    usage = chunk.get("usage")
                    if finish_reason and isinstance(usage, dict):
                        seconds = time.monotonic() - asked_at
                        yield Answer(
                            "".join(pieces),
                            finish_reason,
                            int(usage["prompt_tokens"]),
                            int(usage["completion_tokens"]),
                            seconds if first_token_s is None else first_token_s,
                            seconds,
                            decode(Provenance, json.dumps(chunk.get("distill_tui"))),
                        )
                        return
        except (openai.OpenAIError, aiohttp.ClientError, httpx2.HTTPError, OSError) as error:
            raise _explained(error) from error
        raise TeacherError("The answer was cut off.", f"The server of {arm} stopped in the middle.", "Ask again.")


def _http() -> "httpx2.AsyncClient":
    import httpx2

    return httpx2.AsyncClient(trust_env=False, timeout=_CONNECT_S)


async def _phase(client: "httpx2.AsyncClient", address: Address) -> tuple[Phase, str]:
    """Return the phase that the server reports; one that does not answer is starting, or about to end."""
    import httpx2

    try:
        reply = await client.get(
            f"{address.base_url.removesuffix('/v1')}/health", headers={"authorization": f"Bearer {address.token}"}
        )
        health: object = reply.json()
    except (httpx2.HTTPError, ValueError):
        return _STARTING
    status = health.get("status") if isinstance(health, dict) else None
    if status == "wanted":
        return "waiting", str(health["detail"]) if isinstance(health, dict) else ""
    if status in get_args(Phase) and isinstance(health, dict):
        return cast("Phase", status), str(health.get("detail", ""))
    return _STARTING


def _delta(chunk: dict[str, object]) -> tuple[str, str]:
    """Return (text, finish reason) of one event; both may be empty."""
    choices = cast("list[dict[str, object]]", chunk.get("choices") or [])
    if not choices:
        return "", ""
    delta = cast("dict[str, object]", choices[0].get("delta") or {})
    return str(delta.get("content") or ""), str(choices[0].get("finish_reason") or "")


def _explained(error: Exception) -> DistillError:
    """Convert the server's refusal, or a broken connection, to an error of our tree."""
    import openai

    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIConnectionError):
        words = error.message
        if isinstance(error.body, dict):
            words = str(error.body.get("message") or words)
        if error.code == "context_length_exceeded":
            return ContextError("The conversation is too long for this model.", words)
        if isinstance(error, openai.NotFoundError):
            return NotFoundError("The server has no such arm.", words)
        if isinstance(error, openai.BadRequestError):
            return UsageError("The server refused the question.", words)
        return TeacherError("The server cannot answer right now.", words, "Ask again.")
    return TeacherError("Cannot reach the server.", str(error) or type(error).__name__, "See `distill-tui jobs list`.")


def _last_words(folder: Path) -> str:
    """Return why the job ended, from its log."""
    words = [each.event.note or each.event.state for each in read_all(folder) if isinstance(each.event, StateChanged)]
    return words[-1] if words else ""

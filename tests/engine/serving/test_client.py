"""The client that the panes use: finds or starts the server, streams, stops, and explains errors."""

import asyncio
import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from engine.economics.prices import Prices
from engine.errors import ContextError, JobError, NotFoundError, TeacherError, UsageError
from engine.jobs.control_file import read_command, write_command
from engine.jobs.follow import MAX_BYTES_A_READ
from engine.jobs.identity import own_identity
from engine.jobs.log import EventLog
from engine.jobs.protocol import Note, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.cost import EndpointPrices
from engine.records.example import Usage
from engine.records.job import Job
from engine.records.options import ServeOptions, TeacherSpec
from engine.records.prompt import Message
from engine.serving import remote
from engine.serving.address import Address, read_address, remove_address, write_address
from engine.serving.client import Answer, ArmClient, ensure_server, find_server, wait_until_ready
from engine.serving.remote import RemoteClient, Restarted
from tests.engine.jobs.support import wait_until
from tests.engine.serving.conftest import Served
from tests.engine.teachers.hostile_server import HostileServer, delta, event, good, head, raw, stalls, status
from tests.trained import PROMPT

QUESTION = (Message("user", "Hello, wörld?"),)


async def whole(
    client: ArmClient,
    arm: str,
    messages: Sequence[Message] = QUESTION,
    *,
    temperature: float | None = None,
    max_tokens: int | None = None,
) -> Answer:
    """The answer of an arm, after checking that its streamed pieces add up to it."""
    pieces = [piece async for piece in client.stream(arm, messages, temperature=temperature, max_tokens=max_tokens)]
    answer = pieces.pop()
    assert isinstance(answer, Answer)
    assert "".join(str(piece) for piece in pieces) == answer.text
    return answer


def test_streamed_answer_ends_with_its_provenance_and_timing(served: Served) -> None:
    async def ask() -> tuple[Answer, Answer, tuple[str, ...]]:
        async with ArmClient(served.address) as client:
            first, second = await asyncio.gather(
                whole(client, "prompted", temperature=0.0, max_tokens=30),
                whole(client, "run-2@35", temperature=0.0, max_tokens=30),
            )
            return first, second, await client.arms()

    prompted, distilled, arms = asyncio.run(ask())
    assert arms[:3] == ("unprompted", "prompted", "run-1")
    assert prompted.provenance is not None
    assert prompted.provenance.prompt_sha256 == PROMPT.sha256
    assert distilled.provenance is not None
    assert (distilled.provenance.arm, distilled.provenance.strength) == ("run-2@35", 35)
    assert prompted.prompt_tokens > distilled.prompt_tokens + 50
    for answer in (prompted, distilled):
        assert 0 < answer.first_token_s <= answer.seconds
        assert 0 < answer.completion_tokens <= 30
        assert answer.tokens_per_second is None or answer.tokens_per_second > 0
        assert answer.cost_usd is None


def test_failures_are_raised_as_the_programs_own_errors(served: Served) -> None:
    async def refused(
        address: Address, arm: str, messages: Sequence[Message] = QUESTION, *, max_tokens: int | None = None
    ) -> None:
        async with ArmClient(address) as client:
            await whole(client, arm, messages, max_tokens=max_tokens)

    with pytest.raises(NotFoundError, match="Available: unprompted"):
        asyncio.run(refused(served.address, "run-77"))
    with pytest.raises(ContextError, match="limit is 2048"):
        asyncio.run(refused(served.address, "run-1", max_tokens=2048))
    with pytest.raises(UsageError, match="no other system message"):
        asyncio.run(refused(served.address, "prompted", (Message("system", "x"), *QUESTION)))
    with pytest.raises(TeacherError, match="token"):
        asyncio.run(refused(Address(served.address.base_url, "wrong"), "run-1"))
    with pytest.raises(TeacherError, match="Cannot reach"):
        asyncio.run(refused(Address("http://127.0.0.1:9/v1", "x"), "run-1"))


@pytest.mark.parametrize("end", ["cancelled", "closed"])
def test_generation_stops_when_the_client_stops_listening(served: Served, end: str, dropped: list[int]) -> None:
    async def listen(client: ArmClient, started: asyncio.Event) -> None:
        stream = client.stream("run-1", QUESTION, temperature=2.0, max_tokens=1900, seed=2)
        async for _ in stream:
            started.set()
            if end == "closed":
                await stream.aclose()
                return

    async def stop_listening() -> None:
        async with ArmClient(served.address) as client:
            started = asyncio.Event()
            task = asyncio.create_task(listen(client, started))
            await started.wait()
            if end == "cancelled":
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            while not dropped:
                await asyncio.sleep(0.01)

    asyncio.run(stop_listening())
    assert dropped == [1900]
    wait_until(lambda: not served.answerers[-1].busy)


def run_by_this_process(job: Job) -> Job:
    """The job as if this process ran it."""
    own = own_identity()
    return dataclasses.replace(job, pid=own.pid, pid_started_at=own.started_at, boot_id=own.boot_id)


def test_waiting_reports_each_phase_once_and_returns_the_address(served: Served, tmp_path: Path) -> None:
    phases: list[str] = []

    async def late() -> Address:
        with Project.open(served.project_folder, served.home) as project:
            job = run_by_this_process(project.jobs.add(ServeOptions()))
        folder = served.project_folder / job.folder
        folder.mkdir(mode=0o700)
        waiting = asyncio.create_task(
            wait_until_ready(served.project_folder, job, lambda phase, _: phases.append(phase))
        )
        while not phases:
            await asyncio.sleep(0.01)
        write_address(folder, served.address)
        try:
            return await waiting
        finally:
            remove_address(folder)
            with Project.open(served.project_folder, served.home) as project:
                project.jobs.update(job.id, state="done")

    assert asyncio.run(late()) == served.address
    assert phases == ["starting", "ready"]


def test_server_that_ends_before_it_is_ready_says_why(served: Served) -> None:
    with Project.open(served.project_folder, served.home) as project:
        job = project.jobs.add(ServeOptions())
        project.jobs.update(job.id, state="failed", pid=2**22 - 3, pid_started_at=1.0, boot_id="another")
        job = project.jobs.get(job.id)
    (served.project_folder / job.folder).mkdir(mode=0o700)
    with EventLog(served.project_folder / job.folder) as log:
        log.append(StateChanged("running"))
        log.append(Note("x" * 3 * MAX_BYTES_A_READ))
        log.append(StateChanged("failed", "Cannot open the port."))
    with pytest.raises(JobError, match="Cannot open the port"):
        asyncio.run(wait_until_ready(served.project_folder, job))


def test_paused_server_is_resumed_instead_of_starting_another(private_home: Path) -> None:
    home = Home.locate()
    with Project.create(home.projects / "one", home=home) as project:
        assert find_server(project) is None
        job = run_by_this_process(project.jobs.add(ServeOptions()))
        project.jobs.update(job.id, state="paused", pid=job.pid, pid_started_at=job.pid_started_at, boot_id=job.boot_id)
        folder = project.folder / job.folder
        folder.mkdir(parents=True, mode=0o700)
        write_command(folder, "pause")
        found = find_server(project)
        assert found is not None
        started = ensure_server(project)
        assert (started.job.id, started.new) == (job.id, False)
        assert read_command(folder) == "run"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"base_url": 1, "token": "x"}', '{"base_url": "http://x"}'])
def test_incomplete_address_file_is_ignored(tmp_path: Path, content: str) -> None:
    assert read_address(tmp_path) is None
    (tmp_path / "server.json").write_text(content)
    assert read_address(tmp_path) is None


def test_endpoint_teacher_streams_restarts_and_bills_its_answer(
    private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    price_args: list[object] = []
    billed: list[Usage] = []

    def prices(*args: object) -> Prices:
        price_args.extend(args)
        return Prices(1_000.0, 10_000.0, 0.0)

    monkeypatch.setattr(remote, "prices_for", prices)

    async def ask() -> list[str | Restarted | Answer]:
        async with HostileServer([status("500 Internal Server Error", "busy"), good("Yes, it is.")]) as server:
            spec = TeacherSpec("endpoint", "gpt-5", server.url)
            async with RemoteClient(spec, PROMPT, Home.locate(), billed.append) as client:
                pieces = [piece async for piece in client.stream(QUESTION, temperature=0.5, max_tokens=20)]
            sent = server.requests[-1].body["messages"]
            assert isinstance(sent, list)
            assert [message["content"] for message in sent] == [m.content for m in (*PROMPT.messages, *QUESTION)]
            return pieces

    pieces = asyncio.run(ask())
    answer = pieces[-1]
    assert isinstance(answer, Answer)
    assert answer.text == "Yes, it is."
    assert answer.provenance is None
    assert price_args[-1] == 30, "the price can depend on the prompt's length"
    assert answer.cost_usd == pytest.approx(0.03 + 0.01)
    assert billed == [Usage(30, 1)], "a refused request is not billed"
    assert isinstance(pieces[0], Restarted)
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == answer.text


def test_teacher_answer_costs_what_the_settings_say(private_home: Path) -> None:
    async def ask() -> list[str | Restarted | Answer]:
        async with HostileServer([good("Yes, it is.")]) as server:
            spec = TeacherSpec("endpoint", "peer", server.url)
            given = (EndpointPrices("peer", server.url, 1_000.0, 0.0, 20_000.0),)
            async with RemoteClient(spec, PROMPT, Home.locate(), lambda _: None, given) as client:
                return [piece async for piece in client.stream(QUESTION, temperature=0.5)]

    answer = asyncio.run(ask())[-1]
    assert isinstance(answer, Answer)
    assert answer.cost_usd == pytest.approx(0.03 + 0.02)


def test_interrupted_teacher_answer_is_billed_for_what_arrived(private_home: Path) -> None:
    billed: list[Usage] = []
    half = (head(), event(delta("Yes, it")))

    async def ask() -> None:
        async with HostileServer([raw(*half), stalls(*half)]) as server:
            spec = TeacherSpec("endpoint", "peer", server.url)
            async with RemoteClient(spec, PROMPT, Home.locate(), billed.append) as client:
                async with aclosing(client.stream(QUESTION, temperature=0.5)) as pieces:
                    # The server cuts off the first try, and the client the second.
                    assert [await anext(pieces) for _ in range(3)][::2] == ["Yes, it", "Yes, it"]
                assert len(billed) == 2, "closing the stream reports its usage"

    asyncio.run(ask())
    assert billed[0] == billed[1]
    assert billed[0].counted_here
    assert billed[0].prompt_tokens > 10 > billed[0].completion_tokens > 0


def test_client_imports_no_model_or_server_library() -> None:
    code = (
        "import engine.serving.client, engine.serving.remote, sys;"
        "from engine.serving.client import ArmClient; from engine.serving.address import Address;"
        "ArmClient(Address('http://127.0.0.1:1/v1', 'x'));"
        "print({'torch', 'transformers', 'peft', 'starlette', 'uvicorn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

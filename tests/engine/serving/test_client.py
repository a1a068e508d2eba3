"""The client that the panes use: finds or starts the server, streams, stops, and explains what went wrong."""

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
from engine.jobs.identity import own_identity
from engine.jobs.log import EventLog
from engine.jobs.protocol import StateChanged
from engine.jobs.wishes import read_wish, write_wish
from engine.paths import Home
from engine.project import Project
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


async def whole(client: ArmClient, arm: str, messages: Sequence[Message] = QUESTION, **more: object) -> Answer:
    """The answer of an arm, after its pieces were seen to make it up."""
    pieces = [piece async for piece in client.stream(arm, messages, **more)]
    answer = pieces.pop()
    assert isinstance(answer, Answer)
    assert "".join(str(piece) for piece in pieces) == answer.text
    return answer


def test_an_answer_streams_and_says_who_made_it_and_how_fast(served: Served) -> None:
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


def test_what_cannot_be_answered_is_an_error_of_our_tree(served: Served) -> None:
    async def refused(address: Address, arm: str, messages: Sequence[Message] = QUESTION, **more: object) -> None:
        async with ArmClient(address) as client:
            await whole(client, arm, messages, **more)

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


@pytest.mark.parametrize("way", ["cancelled", "left"])
def test_whoever_stops_listening_ends_the_row(served: Served, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answerer, dropped = served.answerers[-1], []
    drop = answerer._scheduler.drop
    monkeypatch.setattr(answerer._scheduler, "drop", lambda turn: (dropped.append(turn.max_new_tokens), drop(turn)))

    async def listen(client: ArmClient, began: asyncio.Event) -> None:
        stream = client.stream("run-1", QUESTION, temperature=2.0, max_tokens=1900, seed=2)
        async for _ in stream:
            began.set()
            if way == "left":
                await stream.aclose()
                return

    async def leave() -> None:
        async with ArmClient(served.address) as client:
            began = asyncio.Event()
            task = asyncio.create_task(listen(client, began))
            await began.wait()
            if way == "cancelled":
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            while not dropped:
                await asyncio.sleep(0.01)

    asyncio.run(leave())
    assert dropped == [1900]
    wait_until(lambda: not answerer.busy)


def mine(job: Job) -> Job:
    """The job as one that this very process carries out."""
    me = own_identity()
    return dataclasses.replace(job, pid=me.pid, pid_started_at=me.started_at, boot_id=me.boot_id)


def test_waiting_tells_each_phase_once_and_ends_with_the_address(served: Served, tmp_path: Path) -> None:
    told: list[str] = []

    async def late() -> Address:
        with Project.open(served.project_folder, served.home) as project:
            job = mine(project.jobs.add(ServeOptions()))
        folder = served.project_folder / job.folder
        folder.mkdir(mode=0o700)
        waiting = asyncio.create_task(wait_until_ready(served.project_folder, job, lambda phase, _: told.append(phase)))
        while not told:
            await asyncio.sleep(0.01)
        write_address(folder, served.address)
        try:
            return await waiting
        finally:
            remove_address(folder)
            with Project.open(served.project_folder, served.home) as project:
                project.jobs.update(job.id, state="done")

    assert asyncio.run(late()) == served.address
    assert told == ["starting", "ready"]


def test_a_server_that_ends_says_why(served: Served) -> None:
    with Project.open(served.project_folder, served.home) as project:
        job = project.jobs.add(ServeOptions())
        project.jobs.update(job.id, state="failed", pid=2**22 - 3, pid_started_at=1.0, boot_id="another")
        job = project.jobs.get(job.id)
    (served.project_folder / job.folder).mkdir(mode=0o700)
    with EventLog(served.project_folder / job.folder) as log:
        log.append(StateChanged("running"))
        log.append(StateChanged("failed", "Cannot open the port."))
    with pytest.raises(JobError, match="Cannot open the port"):
        asyncio.run(wait_until_ready(served.project_folder, job))


def test_the_project_has_one_server_and_a_paused_one_is_woken(private_home: Path) -> None:
    home = Home.locate()
    with Project.create(home.projects / "one", home=home) as project:
        assert find_server(project) is None
        job = mine(project.jobs.add(ServeOptions()))
        project.jobs.update(job.id, state="paused", pid=job.pid, pid_started_at=job.pid_started_at, boot_id=job.boot_id)
        folder = project.folder / job.folder
        folder.mkdir(parents=True, mode=0o700)
        write_wish(folder, "pause")
        found = find_server(project)
        assert found is not None
        started = ensure_server(project)
        assert (started.job.id, started.new) == (job.id, False)
        assert read_wish(folder) == "run"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"base_url": 1, "token": "x"}', '{"base_url": "http://x"}'])
def test_half_an_address_is_none(tmp_path: Path, content: str) -> None:
    assert read_address(tmp_path) is None
    (tmp_path / "server.json").write_text(content)
    assert read_address(tmp_path) is None


def test_a_teacher_elsewhere_is_asked_the_same_way(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[object] = []
    billed: list[Usage] = []

    def prices(*words: object) -> Prices:
        asked_for.extend(words)
        return Prices(1_000.0, 10_000.0, 0.0)

    monkeypatch.setattr(remote, "find_prices", prices)

    async def ask() -> list[str | Restarted | Answer]:
        async with HostileServer([status(500, "busy"), good("Yes, it is.")]) as server:
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
    assert asked_for[2] == 30, "long prompts may be dearer"
    assert answer.cost_usd == pytest.approx(0.03 + 0.01)
    assert billed == [Usage(30, 1)], "what was refused is not billed"
    assert isinstance(pieces[0], Restarted)
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == answer.text


def test_a_teachers_answer_that_breaks_off_is_billed_as_far_as_it_came(private_home: Path) -> None:
    billed: list[Usage] = []
    half = (head(), event(delta("Yes, it")))

    async def ask() -> None:
        async with HostileServer([raw(*half), stalls(*half)]) as server:
            spec = TeacherSpec("endpoint", "peer", server.url)
            async with RemoteClient(spec, PROMPT, Home.locate(), billed.append) as client:
                async with aclosing(client.stream(QUESTION, temperature=0.5)) as pieces:
                    # The first try is cut off by the server, the second by who asked.
                    assert [await anext(pieces) for _ in range(3)][::2] == ["Yes, it", "Yes, it"]
                assert len(billed) == 2, "when the stream is left, it is told"

    asyncio.run(ask())
    assert billed[0] == billed[1]
    assert billed[0].counted_here
    assert billed[0].prompt_tokens > 10 > billed[0].completion_tokens > 0


def test_the_client_brings_no_model_library_and_no_server() -> None:
    code = (
        "import engine.serving.client, engine.serving.remote, sys;"
        "from engine.serving.client import ArmClient; from engine.serving.address import Address;"
        "ArmClient(Address('http://127.0.0.1:1/v1', 'x'));"
        "print({'torch', 'transformers', 'peft', 'starlette', 'uvicorn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

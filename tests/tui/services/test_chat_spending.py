"""Spending of the chat at an endpoint is recorded: for complete, unfinished and stopped answers."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.options import ProjectSettings, ServeOptions, TeacherSpec
from engine.records.prompt import Message as Turn
from engine.records.prompt import Prompt
from engine.store.spending import TeacherSpending
from tests.engine.jobs.support import wait_until
from tests.engine.teachers.hostile_server import HostileServer, delta, event, good, head, served, stalls
from tests.tui.seeds import add_job
from tests.tui.services.recorder import Recorder
from tui.services.chat import ChatService, ReplyEnded, ReplyGrew
from tui.services.store import StoreService

ROOT = Path(__file__).parents[3]


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with served(good("Yes", ".")) as server:
        yield server


@pytest.fixture
def folder(home: Home, server: HostileServer) -> Path:
    """A project whose teacher is the server, with a running serve job so that none is started."""
    spec = TeacherSpec("endpoint", "peer", server.url)
    with Project.create(home.projects / "desk", ProjectSettings(teacher=spec), home) as project:
        project.prompts.set(Prompt((Turn("system", "Be kind."),)))
        add_job(project, ServeOptions(), "running")
        return project.folder


def recorded_spending(folder: Path, home: Home) -> tuple[TeacherSpending, ...]:
    with Project.open(folder, home) as project:
        return project.spending.all()


def ask(folder: Path, home: Home, url: str) -> tuple[ChatService, StoreService, Recorder]:
    target = Recorder()
    store = StoreService(folder, home, target)
    service = ChatService(store, target)
    service.ask(1, [(f"peer @ {url}", (Turn("user", "Is it shut?"),))], ())
    return service, store, target


def test_complete_answer_is_recorded(folder: Path, home: Home, server: HostileServer) -> None:
    service, store, target = ask(folder, home, server.url)
    wait_until(lambda: bool(target.of(ReplyEnded)))
    (total,) = recorded_spending(folder, home)
    assert (total.other_requests, total.other_prompt_tokens, total.other_completion_tokens) == (1, 30, 2)
    assert not total.other_counted_here
    service.close()
    store.close()


QUIT_WHILE_ANSWERING = """
import sys
from pathlib import Path
from engine.paths import Home
from tests.tui.services.test_chat_spending import ReplyGrew, ask, wait_until

service, store, target = ask(Path(sys.argv[1]), Home.locate(Path(sys.argv[2])), sys.argv[3])
wait_until(lambda: bool(target.of(ReplyGrew)))
store.close()
service.close()
"""


def test_unfinished_answer_is_recorded_before_the_program_exits(
    folder: Path, home: Home, server: HostileServer
) -> None:
    server.behaviours[:] = [stalls(head(), event(delta("It is open, as it was")))]
    arguments = [str(folder), str(home.root), server.url]
    subprocess.run([sys.executable, "-c", QUIT_WHILE_ANSWERING, *arguments], check=True, cwd=ROOT, timeout=60)
    (total,) = recorded_spending(folder, home)
    assert (total.other_requests, total.other_counted_here) == (1, 1)
    assert total.other_completion_tokens > 2


def test_stopped_answer_is_recorded(folder: Path, home: Home, server: HostileServer) -> None:
    server.behaviours[:] = [stalls(head(), event(delta("It is open, as it was")))]
    service, store, target = ask(folder, home, server.url)
    wait_until(lambda: bool(target.of(ReplyGrew)))
    service.halt()
    wait_until(lambda: bool(recorded_spending(folder, home) and target.of(ReplyEnded)))
    assert [message.error for message in target.of(ReplyEnded)] == ["Stopped."]
    service.close()
    store.close()

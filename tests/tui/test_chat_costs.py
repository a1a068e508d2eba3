"""What the chat asks of an endpoint is booked: a whole answer, and one that is left in its middle."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.message import Message

from engine.jobs.identity import own_identity
from engine.paths import Home
from engine.project import Project
from engine.records.options import ProjectSettings, ServeOptions, TeacherSpec
from engine.records.prompt import Message as Said
from engine.records.prompt import Prompt
from engine.store.spending import Spent
from tests.engine.jobs.support import wait_until
from tests.engine.teachers.hostile_server import HostileServer, delta, event, good, head, served, stalls
from tui.services.chat import ChatService, ReplyEnded, ReplyGrew
from tui.services.store import StoreService

ROOT = Path(__file__).parents[2]


class Target:
    """Keeps what a pane would be told."""

    def __init__(self) -> None:
        self.told: list[Message] = []

    def post_message(self, message: Message) -> None:
        self.told.append(message)

    def of(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.told if isinstance(message, kind)]


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with served(good("Yes", ".")) as server:
        yield server


@pytest.fixture
def folder(home: Home, server: HostileServer) -> Path:
    """A project whose teacher is the server, with a job that serves, so that none is started."""
    spec = TeacherSpec("endpoint", "peer", server.url)
    with Project.create(home.projects / "desk", ProjectSettings(teacher=spec), home) as project:
        project.prompts.set(Prompt((Said("system", "Be kind."),)))
        job, me = project.jobs.add(ServeOptions()), own_identity()
        project.jobs.update(job.id, state="running", pid=me.pid, pid_started_at=me.started_at, boot_id=me.boot_id)
        return project.folder


def spent(folder: Path, home: Home) -> tuple[Spent, ...]:
    with Project.open(folder, home) as project:
        return project.spending.all()


def ask(folder: Path, home: Home, url: str) -> tuple[ChatService, StoreService, Target]:
    target = Target()
    store = StoreService(folder, home, target)
    service = ChatService(store, target)
    service.ask(1, [(f"peer @ {url}", (Said("user", "Is it shut?"),))], ())
    return service, store, target


def test_an_answer_is_booked(folder: Path, home: Home, server: HostileServer) -> None:
    service, store, target = ask(folder, home, server.url)
    wait_until(lambda: bool(target.of(ReplyEnded)))
    (found,) = spent(folder, home)
    assert (found.other_requests, found.other_prompt_tokens, found.other_completion_tokens) == (1, 30, 2)
    assert not found.other_counted_here
    service.close()
    store.close()


LEAVES = """
import sys
from pathlib import Path
from engine.paths import Home
from tests.tui.test_chat_costs import ReplyGrew, ask, wait_until

service, store, target = ask(Path(sys.argv[1]), Home.locate(Path(sys.argv[2])), sys.argv[3])
wait_until(lambda: bool(target.of(ReplyGrew)))
store.close()
service.close()
"""


def test_one_that_is_left_in_its_middle_is_booked_before_the_program_has_gone(
    folder: Path, home: Home, server: HostileServer
) -> None:
    server.behaviours[:] = [stalls(head(), event(delta("It is open, as it was")))]
    subprocess.run([sys.executable, "-c", LEAVES, folder, home.root, server.url], check=True, cwd=ROOT, timeout=60)
    (found,) = spent(folder, home)
    assert (found.other_requests, found.other_counted_here) == (1, 1)
    assert found.other_completion_tokens > 2


def test_one_that_is_stopped_is_booked(folder: Path, home: Home, server: HostileServer) -> None:
    server.behaviours[:] = [stalls(head(), event(delta("It is open, as it was")))]
    service, store, target = ask(folder, home, server.url)
    wait_until(lambda: bool(target.of(ReplyGrew)))
    service.halt()
    wait_until(lambda: bool(spent(folder, home) and target.of(ReplyEnded)))
    assert [message.error for message in target.of(ReplyEnded)] == ["Stopped."]
    service.close()
    store.close()

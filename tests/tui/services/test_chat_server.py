"""The chat's connection to the project's server: one at a time, closed when another server takes its place."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.job import Job
from engine.records.options import ServeOptions
from engine.records.prompt import Message
from engine.serving.address import Address
from engine.serving.client import Answer
from tests.engine.jobs.support import wait_until
from tests.tui.seeds import add_job, make_stage
from tests.tui.services.recorder import Recorder
from tui.services.chat import ChatService, ReplyEnded
from tui.services.store import StoreService


class Client(AbstractAsyncContextManager["Client"]):
    """A client that answers at once; it notes whether it is open."""

    def __init__(self) -> None:
        self.open = True

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)
        self.open = False

    async def stream(self, arm: str, messages: tuple[Message, ...]) -> AsyncGenerator[object, None]:
        yield Answer(f"said by {arm}", "stop", 1, 1, 0.1, 0.2, None)


def serve(folder: Path, home: Home) -> Job:
    """Add a server job that runs in this process."""
    with Project.open(folder, home) as project:
        return add_job(project, ServeOptions(), "running")


def test_client_of_a_server_that_was_replaced_is_closed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ready(*_: object) -> Address:
        return Address("http://127.0.0.1:1", "token")

    clients: list[Client] = []

    def connect(_address: Address) -> Client:
        clients.append(Client())
        return clients[-1]

    monkeypatch.setattr("engine.serving.client.wait_until_ready", ready)
    monkeypatch.setattr("engine.serving.client.ArmClient", connect)
    folder, target = make_stage(home, "done"), Recorder()
    store = StoreService(folder, home, target)
    service = ChatService(store, target)

    def ask(ticket: int) -> None:
        service.ask(ticket, [("prompted", (Message("user", "why?"),))], ())
        wait_until(lambda: any(ended.ticket == ticket for ended in target.of(ReplyEnded)))

    first = serve(folder, home)
    ask(1)
    ask(2)
    assert [client.open for client in clients] == [True], "two turns share a connection"
    with Project.open(folder, home) as project:
        project.jobs.update(first.id, state="stopped")
    serve(folder, home)
    ask(3)
    assert [client.open for client in clients] == [False, True]
    service.close()
    wait_until(lambda: not any(client.open for client in clients))
    store.close()

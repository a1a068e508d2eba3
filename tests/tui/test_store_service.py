"""The store's service: facts come when something changed, and a wish never waits for them."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.message import Message

from engine.errors import DistillError, StoreError
from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message as Turn
from engine.records.prompt import Prompt
from tests.tui.seeds import make_stage
from tui.services.release import ReleaseService
from tui.services.store import FactsRead, ReadFailed, StoreFailed, StoreService
from tui.services.tokens import PromptTokens


class Inbox:
    """What a widget would be told."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self.came = threading.Condition()

    def post_message(self, message: Message) -> bool:
        with self.came:
            self.told.append(message)
            self.came.notify_all()
        return True

    def wait(self, count: int) -> list[Message]:
        with self.came:
            assert self.came.wait_for(lambda: len(self.told) >= count, timeout=30)
            return list(self.told)


class Echo(Message):
    pass


@pytest.fixture
def folder(home: Home) -> Path:
    return make_stage(home, "done")


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def service(folder: Path, home: Home, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreService]:
    monkeypatch.setattr("tui.services.tokens.PromptTokens._count", lambda self: None)
    service = StoreService(folder, home, inbox)
    yield service
    service.close()
    service._reader._thread.shutdown(wait=True)
    service._worker._thread.shutdown(wait=True)


def read_and_settle(service: StoreService) -> None:
    """A read that has come to its end, whether or not it told anything."""
    service.read()
    done = threading.Event()
    service._reader.submit(done.set)
    assert done.wait(30)


def test_facts_come_again_only_when_something_was_written(
    service: StoreService, inbox: Inbox, folder: Path, home: Home
) -> None:
    for _ in range(3):
        read_and_settle(service)
    first = inbox.wait(1)
    # Once for the project, and once more where the count of tokens came between two reads.
    assert 1 <= len(first) <= 2
    before = len(inbox.told)
    read_and_settle(service)
    assert len(inbox.told) == before
    with Project.open(folder, home) as project:
        project.prompts.set(Prompt((Turn("system", "Another prompt."),)))
    read_and_settle(service)
    newest = inbox.wait(before + 1)[-1]
    assert isinstance(newest, FactsRead)
    assert newest.facts.prompt_version == 2


def test_facts_come_anew_once_the_store_can_be_read_again(
    service: StoreService, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        read_and_settle(service)
    before = len(inbox.told)
    with monkeypatch.context() as broken:

        def fail(_project: Project) -> None:
            raise StoreError("The disk is gone.")

        broken.setattr("tui.services.reading.mark_lost_jobs", fail)
        read_and_settle(service)
    read_and_settle(service)
    assert [type(message) for message in inbox.wait(before + 2)[before:]] == [ReadFailed, FactsRead]


def test_a_defect_is_told_and_the_thread_goes_on(
    service: StoreService, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.ask(lambda project: {}["a key"], inbox)
    service.ask(lambda project: next(iter(())), inbox)
    service.ask(lambda project: Echo(), inbox)
    key, none, echo = inbox.wait(3)
    assert isinstance(key, StoreFailed)
    assert (key.error.title, key.error.message) == ("The program failed.", "KeyError: 'a key'")
    assert isinstance(none, StoreFailed)
    assert none.error.message == "StopIteration: "
    assert isinstance(echo, Echo)
    with monkeypatch.context() as broken:
        broken.setattr("tui.services.reading.mark_lost_jobs", lambda _project: 1 / 0)
        read_and_settle(service)
    assert any(isinstance(told, ReadFailed) and "ZeroDivisionError" in told.error.message for told in inbox.told)
    with pytest.raises(DistillError, match="KeyError"):
        asyncio.run(service.answer(lambda project: {}["a key"]))
    service.wish("stop", 99)
    inbox.wait(len(inbox.told) + 1)


def test_nobody_who_leaves_waits_for_a_count_of_tokens(
    folder: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, answered = threading.Event(), threading.Event()

    def slow(_tokens: PromptTokens) -> None:
        begun.set()
        answered.wait(30)
        raise KeyError("tokens")

    monkeypatch.setattr(PromptTokens, "_count", slow)
    tokens, prompt = PromptTokens(folder, home), Prompt((Turn("system", "Be brief."),))
    estimate = tokens.of(prompt)
    assert begun.wait(30)
    (counting,) = [thread for thread in threading.enumerate() if thread.name == "tokens"]
    assert counting.daemon
    assert not tokens.counted
    answered.set()
    counting.join(30)
    assert tokens.counted
    assert tokens.of(prompt) == estimate


def test_a_release_that_is_gone_is_told(folder: Path, service: StoreService, inbox: Inbox) -> None:
    ReleaseService(service, inbox).read_card(99)
    (failed,) = inbox.wait(1)
    assert isinstance(failed, StoreFailed)
    assert failed.error.title == "There is no release 99."


def test_what_a_person_asks_for_does_not_wait_for_the_facts(service: StoreService, inbox: Inbox) -> None:
    blocked = threading.Event()
    service._reader.submit(lambda: blocked.wait(30) and None)
    service.read()
    service.ask(lambda project: Echo(), inbox)
    try:
        assert isinstance(inbox.wait(1)[0], Echo)
    finally:
        blocked.set()

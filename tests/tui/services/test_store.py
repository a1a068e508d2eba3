"""The store service: facts are sent after changes, errors are reported, requests never wait for reads."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from textual.app import App
from textual.events import Callback
from textual.widgets import Static

from engine.economics.tokens import TokenCount
from engine.errors import DistillError, StoreError
from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message as Turn
from engine.records.prompt import Prompt
from tests.tui.piloting import until
from tests.tui.seeds import make_stage
from tests.tui.services.recorder import Recorder
from tui.services.reading import Reader
from tui.services.release import read_card
from tui.services.store import FactsRead, ReadFailed, StoreFailed, StoreService
from tui.services.tokens import PromptTokens


def fail_with_a_key_error(project: Project) -> None:
    raise KeyError("a key")


@pytest.fixture
def folder(home: Home) -> Path:
    return make_stage(home, "done")


@pytest.fixture
def inbox() -> Recorder:
    return Recorder()


@pytest.fixture
def service(folder: Path, home: Home, inbox: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreService]:
    monkeypatch.setattr("tui.services.tokens.carry_out", lambda *_: {})
    service = StoreService(folder, home, inbox)
    yield service
    service.close()
    service._reader._thread.shutdown(wait=True)
    service._worker._thread.shutdown(wait=True)


def read_and_settle(service: StoreService) -> None:
    """Read the store and wait until the read has ended, whether or not it sent a message."""
    service.read()
    done = threading.Event()
    service._reader.submit(done.set)
    assert done.wait(30)


def test_facts_are_sent_only_after_a_change(service: StoreService, inbox: Recorder, folder: Path, home: Home) -> None:
    for _ in range(3):
        read_and_settle(service)
    first = inbox.wait(1)
    # Once for the project, and once more if the token count arrived between two reads.
    assert 1 <= len(first) <= 2
    before = len(inbox.messages)
    read_and_settle(service)
    assert len(inbox.messages) == before
    with Project.open(folder, home) as project:
        project.prompts.set(Prompt((Turn("system", "Another prompt."),)))
    read_and_settle(service)
    newest = inbox.wait(before + 1)[-1]
    assert isinstance(newest, FactsRead)
    assert newest.facts.prompt_version == 2


def test_facts_are_sent_again_after_a_read_error(
    service: StoreService, inbox: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        read_and_settle(service)
    before = len(inbox.messages)
    with monkeypatch.context() as broken:

        def fail(_project: Project) -> None:
            raise StoreError("The disk is gone.")

        broken.setattr("tui.services.reading.mark_lost_jobs", fail)
        read_and_settle(service)
    read_and_settle(service)
    assert [type(message) for message in inbox.wait(before + 2)[before:]] == [ReadFailed, FactsRead]


def test_unexpected_error_is_reported_and_the_thread_continues(
    service: StoreService, inbox: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[object] = []
    service.ask(fail_with_a_key_error, answers.append, inbox)
    service.ask(lambda project: next(iter(())), answers.append, inbox)
    service.ask(lambda project: "an answer", answers.append, inbox)
    key_error, stop_iteration, answer = inbox.wait(3)
    assert isinstance(key_error, StoreFailed)
    assert (key_error.error.title, key_error.error.message) == ("The program failed.", "KeyError: 'a key'")
    assert isinstance(stop_iteration, StoreFailed)
    assert stop_iteration.error.message == "StopIteration: "
    assert isinstance(answer, Callback)
    assert not answers, "only the target's own loop may pass on an answer"
    answer.callback()
    assert answers == ["an answer"]
    with monkeypatch.context() as broken:
        broken.setattr("tui.services.reading.mark_lost_jobs", lambda _project: 1 / 0)
        read_and_settle(service)
    assert any(isinstance(each, ReadFailed) and "ZeroDivisionError" in each.error.message for each in inbox.messages)
    with pytest.raises(DistillError, match="KeyError"):
        asyncio.run(service.answer(fail_with_a_key_error))
    service.send("stop", 99)
    inbox.wait(len(inbox.messages) + 1)


async def test_answer_for_a_removed_widget_is_dropped(folder: Path, home: Home) -> None:
    app, answers = App[int](), list[str]()
    async with app.run_test() as pilot:
        widget, service = Static(), StoreService(folder, home, app)
        await app.mount(widget)
        service.ask(lambda project: "first", answers.append, widget)
        await until(pilot, lambda: answers == ["first"])
        await widget.remove()
        service.ask(lambda project: "late", answers.append, widget)
        service.ask(lambda project: "last", answers.append, app)
        await until(pilot, lambda: len(answers) > 1)
        service.close()
    assert answers == ["first", "last"]


def test_token_count_runs_in_a_daemon_thread_and_may_fail() -> None:
    started, released = threading.Event(), threading.Event()

    def slow() -> TokenCount:
        started.set()
        released.wait(30)
        raise KeyError("tokens")

    tokens, prompt = PromptTokens(), Prompt((Turn("system", "Be brief."),))
    estimate = tokens.of(prompt, slow)
    assert started.wait(30)
    (counting,) = [thread for thread in threading.enumerate() if thread.name == "tokens"]
    assert counting.daemon
    assert not tokens.counted
    released.set()
    counting.join(30)
    assert tokens.counted
    assert tokens.of(prompt, slow) == estimate


def test_missing_release_is_reported(folder: Path, service: StoreService, inbox: Recorder) -> None:
    service.ask(lambda project: read_card(project, 99), lambda _: None, inbox)
    (failed,) = inbox.wait(1)
    assert isinstance(failed, StoreFailed)
    assert failed.error.title == "There is no release 99."


def test_request_does_not_wait_for_a_running_read(service: StoreService, inbox: Recorder) -> None:
    blocked = threading.Event()
    service._reader.submit(lambda: blocked.wait(30) and None)
    service.read()
    service.ask(lambda project: None, lambda _: None, inbox)
    try:
        assert isinstance(inbox.wait(1)[0], Callback)
    finally:
        blocked.set()


def test_exact_count_of_a_new_prompt_is_read_however_soon_it_arrives(
    folder: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def count(_folder: Path, _home: Home, _version: int) -> TokenCount:
        assert released.wait(30)
        return TokenCount(123, "starter", exact=True)

    def arrived() -> None:
        released.set()
        for thread in threading.enumerate():
            if thread.name == "tokens":
                thread.join(30)

    monkeypatch.setattr("tui.services.reading.count_for_student", count)
    reader = Reader(folder, home)
    with closing(reader), Project.open(folder, home) as project:
        reader.read_new()
        arrived()
        while reader.read_new() is not None:
            pass
        released.clear()
        project.prompts.set(Prompt((Turn("system", "Another prompt."),)))
        estimated = reader.read_new()
        assert estimated is not None
        assert estimated.prompt_tokens.startswith("≈")
        arrived()
        exact = reader.read_new()
        assert exact is not None
        assert exact.prompt_tokens == "123"

"""The cost of `chat` with an endpoint: recorded, estimated if necessary, and included in the project's costs."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.economics.measured import measure
from engine.economics.prices import Prices
from engine.paths import Home
from engine.projects import find_project
from engine.records.example import Example, ExampleKey
from engine.records.prompt import Message
from engine.records.question import Question
from engine.store.spending import TeacherSpending
from engine.teachers import budget
from tests.engine.cli.calling import call, fail, get, succeed
from tests.engine.teachers.hostile_server import (
    DONE,
    HostileServer,
    Request,
    delta,
    event,
    good,
    head,
    raw,
    served,
)

UNCOUNTED = raw(head(), event(delta("Yes.")), event(delta(None, "stop")), DONE)


@pytest.fixture
def server(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    """A teacher whose answers cost one cent per token; the current project uses it."""
    monkeypatch.setattr(budget, "prices_for", lambda *_: Prices(0.0, 10_000.0, 0.0))
    with served(good("Yes", ".")) as server:
        succeed("new", "desk", "--teacher", "peer", "--base-url", server.url)
        succeed("prompt", "set", "-", input="Be kind.")
        yield server


def spent() -> TeacherSpending:
    with find_project("desk", Home.locate()) as project:
        (found,) = project.spending.all()
        return found


def test_chat_cost_is_recorded_and_shown_by_status(server: HostileServer) -> None:
    succeed("chat", "Is it shut?", "--arm", "teacher")
    found = spent()
    assert found.cost_usd == pytest.approx(0.02)
    assert found == TeacherSpending(f"peer @ {server.url}", found.cost_usd, 0, 0, 0, 1, 30, 2, 0)
    assert f"peer @ {server.url} cost 0.02 USD: 0 answers, 1 other request, 30 + 2 tokens" in succeed("status").out
    assert get("status")["spending"][0]["other_completion_tokens"] == 2


def test_missing_usage_is_estimated_and_marked_as_an_estimate(server: HostileServer) -> None:
    server.behaviours[:] = [UNCOUNTED]
    succeed("chat", "Is it shut?", "--arm", "teacher")
    found = spent()
    assert (found.other_requests, found.other_counted_here) == (1, 1)
    assert found.other_prompt_tokens > 0
    assert found.cost_usd == pytest.approx(0.01 * found.other_completion_tokens)
    assert "tokens, of 1 request estimated" in succeed("status").out


def test_tokens_are_recorded_without_a_price(server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "prices_for", lambda *_: None)
    succeed("chat", "Is it shut?", "--arm", "teacher")
    assert (spent().cost_usd, spent().other_prompt_tokens) == (0.0, 30)


def test_interrupted_chat_records_the_tokens_received(server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + event(delta("It is open, as it was on every")))
        await writer.drain()
        while not received:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    received: list[str] = []
    monkeypatch.setattr("engine.clean.StreamCleaner.feed", lambda _self, text: received.append(text) or text)
    server.behaviours[:] = [interrupted]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # SIGINT may be ignored in a test process
    try:
        assert call("chat", "Is it shut?", "--arm", "teacher").status == 130
    finally:
        signal.signal(signal.SIGINT, before)
    found = spent()
    assert (found.other_requests, found.other_counted_here) == (1, 1)
    assert found.other_completion_tokens > 4
    assert found.cost_usd == pytest.approx(0.01 * found.other_completion_tokens)


def test_chat_cost_counts_towards_the_cost_of_generation(server: HostileServer) -> None:
    with find_project("desk", Home.locate()) as project:
        project.questions.add([Question((Message("user", "Why?"),), split="train")])
        prompt = project.prompts.require()
        project.examples.add([Example(ExampleKey(prompt.sha256, 1, "starter", 0), "So.", "stop", "local")])
    succeed("chat", "Is it shut?", "--arm", "teacher")
    with find_project("desk", Home.locate()) as project:
        generation = measure(project).generation_usd
        assert generation is not None
        assert generation.value == pytest.approx(0.02)
        assert generation.origin == "measured"
        assert project.spending.mean_answer_tokens() == 0.0, (
            "chat answers do not count towards the mean length of answers"
        )


@pytest.mark.parametrize(("args", "title"), [(("Hi.", "--arm", "run-99"), "There is no run 99."),
                                             (("",), "The question is empty.")], ids=str)  # fmt: skip
def test_a_chat_that_cannot_succeed_starts_no_server(args: tuple[str, ...], title: str, server: HostileServer) -> None:
    assert fail("chat", *args)["title"] == title
    assert get("jobs", "list", "--all") == {"jobs": []}
    assert server.requests == []

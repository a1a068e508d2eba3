"""`generate` with real jobs and a local server: followed, detached, refused."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from engine.paths import Home
from engine.projects import find_project
from engine.records.question import Split
from engine.teachers.keys import variable_of
from tests.engine.cli.calling import call, fail, get, succeed
from tests.engine.cli.shapes import JOB, assert_shape
from tests.engine.jobs.support import wait_until
from tests.engine.teachers.hostile_server import HostileServer, Request, error, good, served, status


@pytest.fixture
def server(home: Home) -> Iterator[HostileServer]:
    """A teacher that answers every question well, and a project that uses it: eight questions in four topics of two."""
    with served(good("Good", " day.")) as server:
        succeed("new", "desk", "--base", "owner/model", "--teacher", "peer", "--base-url", server.url,
                "--temperature", "0.4")  # fmt: skip
        succeed("prompt", "set", "-", input="Be brief.")
        succeed("rules", "add", "No day", "kind=forbidden", "texts=[night]")
        rows = [{"text": f"Question {n}?", "topic": f"topic {n % 4}"} for n in range(8)]
        succeed("questions", "import", "-", input="\n".join(map(json.dumps, rows)))
        with find_project("desk", home) as project:
            names: dict[str, Split] = {
                "topic 0": "train",
                "topic 1": "train",
                "topic 2": "validation",
                "topic 3": "test",
            }
            project.questions.set_splits({q.id: names[q.topic] for q in project.questions.all()})
        yield server


def list_jobs() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get("jobs", "list", "--all")["jobs"]
    return found


def test_generation_is_followed_to_the_end_and_asks_each_question_once(server: HostileServer) -> None:
    done = succeed("generate", "--json")
    assert_shape(done.data["job"], JOB)
    assert (done.data["job"]["state"], done.data["job"]["progress"]) == ("done", {"done": 6, "total": 6})
    # `curate check` decides later; until then the answers are only stored.
    examples = done.data["examples"]
    assert examples["total"] == 6 == examples["accepted"] + examples["rejected"] + examples["undecided"]
    assert done.data["cost_usd"] == 0
    assert "6 of 6" in done.err
    assert len(server.requests) == 6, "the test split is not asked"
    assert server.requests[0].body["messages"][0] == {"role": "system", "content": "Be brief."}
    again = succeed("generate")
    assert "6 examples stored" in again.out
    assert "distill-tui curate check" in again.out
    assert {request.body["temperature"] for request in server.requests} == {0.4}, "the project's serving temperature"
    assert len(server.requests) == 6
    assert {row["answer"] for row in get("curate", "list")["examples"]} == {"Good day."}
    assert [job["state"] for job in list_jobs()] == ["done", "done"]


def test_a_partly_failed_generation_says_so(server: HostileServer) -> None:
    async def refuse_some(request: Request, writer: asyncio.StreamWriter) -> None:
        refused = request.question in ("Question 0?", "Question 1?")
        answer = status("400 Bad Request", error("No.")) if refused else good("Good", " day.")
        await answer(request, writer)

    server.behaviours[:] = [refuse_some]
    data = get("generate")
    assert (data["job"]["state"], data["job"]["progress"]) == ("done", {"done": 4, "total": 6})
    assert (data["failed"], data["failures"]) == (2, {"refused": 2})
    assert "Not answered: 2 questions (refused requests)." in succeed("jobs", "follow", "1").out
    server.behaviours[:] = [good("Good", " day.")]
    done = succeed("generate", "--json")
    assert (done.data["failed"], done.data["failures"]) == (0, {})


def test_further_answers_of_a_refused_question_are_not_called_unasked(server: HostileServer) -> None:
    async def refuse_one(request: Request, writer: asyncio.StreamWriter) -> None:
        refused = request.question == "Question 0?"
        await (status("400 Bad Request", error("No.")) if refused else good("Good", " day."))(request, writer)

    server.behaviours[:] = [refuse_one]
    data = get("generate", "--samples", "3")
    assert (data["examples"]["total"], data["failed"], data["not_asked"]) == (15, 1, 0)


def test_generation_that_ends_at_its_budget_says_what_it_did_not_ask(server: HostileServer) -> None:
    prices = ("--teacher-usd-per-mtok", "1000", "1000", "1000")
    succeed("settings", *prices)
    data = get("generate", "--max-cost", "0.02", "--max-answer-tokens", "1", "--concurrency", "1")
    stored = data["examples"]["total"]
    assert (data["job"]["state"], data["failed"], data["not_asked"]) == ("done", 0, 6 - stored)
    assert 0 <= stored < 6
    assert f"Not asked: {6 - stored} answers, because of the budget." in succeed("jobs", "follow", "1").out


def test_generation_without_any_answer_says_why(server: HostileServer) -> None:
    server.behaviours[:] = [status("400 Bad Request", error("Out of order."))]
    failure = fail("generate", status=1)
    assert "6 questions could not be answered (refused requests). The first: " in failure["message"]
    assert "Out of order." in failure["message"]


def test_options_determine_the_requests(server: HostileServer) -> None:
    args = ("--split", "train", "--split", "test", "--samples", "2", "--limit", "3", "--temperature", "0.3",
            "--max-answer-tokens", "17", "--concurrency", "2", "--model", "another")  # fmt: skip
    assert get("generate", *args)["examples"]["total"] == 6
    assert {request.question for request in server.requests} == {"Question 0?", "Question 1?", "Question 7?"}, (
        "one question per topic, including the test split"
    )
    bodies = [request.body for request in server.requests]
    assert {body["temperature"] for body in bodies} == {0.3}
    assert {body["model"] for body in bodies} == {"another"}
    assert any(17 in body.values() for body in bodies)


def test_only_named_questions_are_asked_again(server: HostileServer) -> None:
    succeed("generate")
    before = len(server.requests)
    assert get("generate", "--question", "1", "--question", "8", "--samples", "2")["examples"]["total"] == 10
    assert sorted(request.question for request in server.requests[before:]) == [
        "Question 0?", "Question 0?", "Question 7?", "Question 7?",
    ]  # fmt: skip
    found = get("curate", "list")["examples"]
    # Answers arrive concurrently, so their order varies.
    assert sorted(row["attempt"] for row in found if row["question_id"] == 1) == [0, 1, 2]
    assert sorted(row["attempt"] for row in found if row["question_id"] == 8) == [0, 1], (
        "question 8 is in the test split and was not asked before"
    )
    fail("generate", "--question", "99")
    assert len(list_jobs()) == 2


def test_detached_generation_returns_at_once_and_can_be_followed_later(server: HostileServer) -> None:
    gates: list[Callable[[], object]] = []

    async def wait(request: Request, writer: asyncio.StreamWriter) -> None:
        gate, loop = asyncio.Event(), asyncio.get_running_loop()
        gates.append(lambda: loop.call_soon_threadsafe(gate.set))
        await gate.wait()
        await good("Good", " day.")(request, writer)

    server.behaviours[:] = [wait, good("Good", " day.")]
    started = succeed("generate", "--detach", "--json", "--concurrency", "1")
    assert set(started.data) == {"job"}
    assert_shape(started.data["job"], JOB)
    assert started.data["job"]["id"] == 1
    assert started.data["job"]["state"] in ("waiting", "running")
    shown = succeed("status")
    assert "job 1 generate" in shown.out
    wait_until(lambda: bool(gates))
    gates[0]()
    assert get("jobs", "follow", "1")["job"]["state"] == "done"
    followed = succeed("jobs", "follow", "1").out.splitlines()
    assert followed[:2] == [
        "Job 1 (generate) is done.", "6 examples stored: 0 accepted, 0 rejected, 6 undecided.",
    ]  # fmt: skip
    assert get("jobs", "follow", "1")["examples"]["total"] == 6
    assert get("curate", "list")["total"] == 6
    assert "distill-tui jobs follow 2" in succeed("generate", "--detach").out
    succeed("jobs", "follow", "2")


def test_generation_refused_by_the_endpoint_can_be_resumed(server: HostileServer) -> None:
    server.behaviours[:] = [status("401 Unauthorized", error("No such key"))]
    failure = fail("generate", status=1)
    assert failure["title"] == "Job 2 (generate) failed."
    assert failure["next"] == "Resume it: distill-tui jobs resume 2"
    assert "401" in failure["message"] or "key" in failure["message"]
    assert {job["state"] for job in list_jobs()} == {"failed"}
    assert get("status")["stations"][2]["state"] == "failed"
    assert call("jobs", "follow", "1").err.count("The endpoint rejected the key.") == 1
    server.behaviours[:] = [good("Good", " day.")]
    succeed("jobs", "resume", "1")
    assert get("jobs", "follow", "1")["job"]["state"] == "done"


def test_key_is_read_from_the_named_variable_and_never_stored(
    server: HostileServer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-canary-9876543210zyxwvutsrq"
    monkeypatch.setenv(variable_of(server.url), "")  # so that the value set by the command is undone
    monkeypatch.setenv("MY_KEY", key)
    done = succeed("generate", "--key-env", "MY_KEY", "--json")
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {key}"}
    assert key not in done.out + done.err
    holding = [path for path in home.projects.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
    assert holding == []


def test_resumed_job_reads_its_key_from_the_variable_named_then(
    server: HostileServer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = variable_of(server.url)
    monkeypatch.setenv(variable, "")  # so that the value set by the command is undone
    server.behaviours[:] = [status("401 Unauthorized", error("No such key"))]
    monkeypatch.setenv("MY_KEY", "sk-of-yesterday-0123456789")
    fail("generate", "--key-env", "MY_KEY", status=1)
    with find_project("desk", home) as project:
        assert "MY_KEY" not in project.jobs.get(1).options
    monkeypatch.setenv(variable, "")
    server.behaviours[:] = [good("Good", " day.")]
    server.requests.clear()
    monkeypatch.setenv("MY_KEY", "sk-of-today-0123456789")
    assert "NO_SUCH_KEY" in fail("jobs", "resume", "1", "--key-env", "NO_SUCH_KEY")["message"]
    succeed("jobs", "resume", "1", "--key-env", "MY_KEY")
    assert get("jobs", "follow", "1")["job"]["state"] == "done"
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer sk-of-today-0123456789"}


def test_unset_key_variable_starts_no_job(server: HostileServer) -> None:
    assert "NO_SUCH_KEY" in fail("generate", "--key-env", "NO_SUCH_KEY")["message"]
    assert list_jobs() == []


def test_endpoint_without_a_model_is_refused_naming_the_option(new_project: Path) -> None:
    failure = fail("generate", "--base-url", "http://127.0.0.1:9/v1")
    assert "--model" in failure["next"]
    assert list_jobs() == []


def test_budget_without_a_known_price_starts_no_job(new_project: Path) -> None:
    asked = ("generate", "--base-url", "https://llm.example.com/v1", "--model", "own-model", "--max-cost", "1")
    assert "prices: distill-tui settings" in fail(*asked, status=1)["next"]
    assert list_jobs() == []


@pytest.mark.parametrize("address", ["nowhere", "http://llm.example.com/v1", "https://me:secret1@llm.example.com/v1"])
def test_unsafe_address_starts_no_job(address: str, new_project: Path) -> None:
    assert "secret1" not in str(fail("generate", "--base-url", address, "--model", "m"))
    assert list_jobs() == []


@pytest.mark.parametrize(
    "args",
    ["--samples 0", "--samples 65", "--samples two", "--temperature 2.1", "--temperature nan", "--split exam",
     "--max-answer-tokens 0", "--limit 0", "--concurrency 0", "--batch-rows 0", "--max-cost -1", "--max-cost nan",
     "--max-cost inf", "--seed x", "surplus"],
)  # fmt: skip
def test_invalid_option_value_starts_no_job(args: str, new_project: Path) -> None:
    fail("generate", *args.split())
    assert list_jobs() == []


def test_ctrl_c_stops_following_but_not_the_job(server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("engine.jobs.follow.follow", interrupted)
        stopped = call("generate", "--json")
    assert (stopped.status, stopped.data["job"]["id"]) == (130, 1)
    assert "distill-tui jobs follow 1" in stopped.err
    assert get("jobs", "follow", "1")["job"]["state"] == "done"


def test_missing_inputs_are_reported_before_a_job_starts(home: Home) -> None:
    succeed("new", "desk")
    assert fail("generate")["next"] == "Set one: distill-tui prompt set FILE"
    succeed("prompt", "set", "-", input="Be brief.")
    assert fail("generate")["next"] == "Run: distill-tui questions import FILE"
    succeed("questions", "import", "-", input="When do you open?")
    assert fail("generate")["next"] == "Run: distill-tui questions split"
    with find_project("desk", home) as project:
        project.questions.set_splits({question.id: "test" for question in project.questions.all()})
    assert fail("generate")["message"] == "None is in train or validation; other splits have 1 question."
    assert list_jobs() == []

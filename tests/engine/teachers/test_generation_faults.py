"""Generation from an endpoint that fails: what stops the job, what does not, and that the key stays private."""

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

from engine.errors import EndpointError, StoreError
from engine.jobs.protocol import Note, Progress
from engine.project import Project
from engine.records.example import Example
from engine.records.question import SPLITS
from engine.teachers import endpoint
from engine.teachers.endpoint import EndpointLimits
from tests.engine.teachers.generation_helpers import endpoint_options, events_of, generate, request_counts, wait_for_end
from tests.engine.teachers.hostile_server import (
    DONE,
    Behaviour,
    Request,
    delta,
    error,
    event,
    good,
    head,
    raw,
    served,
    status,
    usage,
)

CANARY = "sk-canary-9876543210zyxwvutsrq"


def test_unanswerable_question_does_not_stop_the_others(project: Project) -> None:
    async def choosy(request: Request, writer: asyncio.StreamWriter) -> None:
        too_long = request.question == "Question 3?"
        answer = status("400 Bad Request", error("maximum context length is 9 tokens")) if too_long else good("Bye.")
        await answer(request, writer)

    with served(choosy) as server:
        events = generate(project, endpoint_options(server, samples=2))
    assert len(project.examples.all()) == 18
    assert request_counts(server)["Question 3?"] in (1, 2)  # its second sample may be in flight already
    notes = [e.text for e in events if isinstance(e, Note)]
    assert any("Question 4 was not answered" in text and "context" in text for text in notes)
    assert any("could not be answered (overlong question" in text for text in notes)
    last = [e for e in events if isinstance(e, Progress)][-1]
    assert (last.done, last.failed, last.total) == (18, 2, 20)
    assert project.examples.in_flight() == 0


@pytest.mark.parametrize(
    "refusal",
    [status("401 Unauthorized", error(f"Incorrect API key: {CANARY}")), status("402 Payment Required", error("Pay."))],
)
def test_refused_key_or_payment_stops_the_job_and_keeps_its_answers(
    project: Project, refusal: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def revoked(request: Request, writer: asyncio.StreamWriter) -> None:
        await (good("Bye.") if len(server.requests) <= 4 else refusal)(request, writer)

    with served(revoked) as server:
        monkeypatch.setenv(f"DISTILL_TUI_API_KEY_127_0_0_1_{server.port}", CANARY)
        with pytest.raises(EndpointError) as caught:
            generate(project, endpoint_options(server, concurrency=2))
    assert CANARY not in str(caught.value)
    assert caught.value.next.endswith("then resume the job.")
    notes = [event.text for event in events_of(project, project.jobs.get(1)) if isinstance(event, Note)]
    assert notes == [], "the end of the job reports the reason"
    assert len(project.examples.all()) == 4
    assert len(server.requests) <= 7
    assert project.examples.in_flight() == 0


def test_key_is_in_no_file_of_the_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gossip(request: Request, writer: asyncio.StreamWriter) -> None:
        assert request.headers["authorization"] == f"Bearer {CANARY}"
        n = len(server.requests)
        if n == 2:
            await status("500 Oops", error(f"bad header Authorization: Bearer {CANARY}"))(request, writer)
        elif n == 3:
            await raw(head(), event(error(f"key {CANARY} is not allowed to do this")), DONE)(request, writer)
        elif n == 4:
            await status("400 Bad Request", error(f"{CANARY}"))(request, writer)
        else:
            await good("Kind. Bye.")(request, writer)

    with served(gossip) as server:
        monkeypatch.setenv(f"DISTILL_TUI_API_KEY_127_0_0_1_{server.port}", CANARY)
        job = project.start_job(endpoint_options(server, concurrency=1))
        wait_for_end(project, job.id)
    assert len(project.examples.all()) == 9
    project.close()
    read = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    assert any(path.name == "events.jsonl" for path in read)
    assert [path for path, data in read.items() if CANARY.encode() in data] == []
    assert any(b"redacted" in data for data in read.values())


def test_unreachable_server_stops_the_job(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "EndpointLimits", partial(EndpointLimits, longest_wait_s=0.01))
    with served(good()) as gone:
        options = endpoint_options(gone)
    with pytest.raises(EndpointError, match="cannot be reached"):
        generate(project, options)


def test_ten_refusals_in_a_row_stop_the_job(project: Project) -> None:
    refusal = status("400 Bad Request", error("no such parameter"))
    with served(good("Bye."), refusal) as server, pytest.raises(EndpointError, match="refused"):
        generate(project, endpoint_options(server, samples=2, splits=SPLITS, concurrency=1))
    assert len(server.requests) == 11


def test_model_that_only_thinks_stops_the_job_after_ten_requests(project: Project) -> None:
    thinks = raw(head(), event(delta(None, "length")), event(usage(30, 512)), DONE)
    with served(thinks) as server, pytest.raises(EndpointError, match="Raise the answer token limit"):
        generate(project, endpoint_options(server, samples=2, splits=SPLITS, concurrency=1))
    assert len(server.requests) == 10


def test_answers_with_only_thinking_do_not_stop_the_job_after_a_complete_one(project: Project) -> None:
    thinks = raw(head(), event(delta(None, "length")), event(usage(30, 512)), DONE)
    with served(good("Bye."), thinks) as server:
        generate(project, endpoint_options(server, samples=2, splits=SPLITS, concurrency=1))
    assert len(server.requests) > 11
    assert len(project.examples.all()) == 1


def test_ten_refusals_in_a_row_stop_the_job_despite_earlier_answers(project: Project) -> None:
    refusal = status("400 Bad Request", error("no such parameter"))
    with served(good("Bye."), refusal) as server:
        generate(project, endpoint_options(server, limit=1))
        with pytest.raises(EndpointError, match="no such parameter"):
            generate(project, endpoint_options(server, samples=2, splits=SPLITS, concurrency=1))
    assert len(server.requests) == 11


def test_answers_refused_by_a_locked_store_are_stored_at_the_end(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, refused = project.examples.add, list[Example]()

    def locked_at_first(examples: Sequence[Example]) -> int:
        if not refused:
            refused.extend(examples)
            raise StoreError("The project is locked.", "Another process writes.", "Try again.")
        return add(examples)

    monkeypatch.setattr(project.examples, "add", locked_at_first)
    with served(good("Bye.")) as server, pytest.raises(StoreError):
        generate(project, endpoint_options(server))
    assert refused
    stored = {curated.example.key for curated in project.examples.all()}
    assert {example.key for example in refused} <= stored
    assert project.examples.in_flight(stored) == 0  # other requests may have been in flight when the store refused

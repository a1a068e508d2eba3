"""Generation from an endpoint, whole: what is asked, stored, told, paid for, and what a kill costs."""

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from engine.economics.prices import Prices
from engine.errors import BudgetError, EndpointError, JobStopped, StoreError, TeacherError, UsageError
from engine.jobs.context import JobContext, StopFlag
from engine.jobs.control import resume
from engine.jobs.follow import Follower
from engine.jobs.liveness import is_alive, mark_lost_jobs
from engine.jobs.protocol import AnswerDelta, AnswerEnded, AnswerStarted, Event, Note, Progress, Spent, StateChanged
from engine.jobs.wishes import write_wish
from engine.project import Project
from engine.records.example import Example
from engine.records.options import GenerateOptions, TeacherSpec
from engine.status import status_json
from engine.teachers import budget, endpoint
from engine.teachers.endpoint import EndpointLimits, EndpointTeacher
from engine.teachers.job import questions_of, run
from tests.engine.teachers.hostile_server import (
    DONE,
    Behaviour,
    HostileServer,
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
KILLS = 5


def options(server: HostileServer, **changes: object) -> GenerateOptions:
    return GenerateOptions(TeacherSpec("endpoint", "peer", server.url), **changes)


def generate(project: Project, wanted: GenerateOptions, stop: StopFlag | None = None) -> list[Event]:
    """Run the stage in this process and return what it told."""
    job = project.jobs.add(wanted)
    context = JobContext(project, job, stop)
    try:
        run(context, wanted)
    finally:
        context.close()
    return events_of(project, job.folder)


def events_of(project: Project, folder: str) -> list[Event]:
    return [stamped.event for stamped in Follower(project.folder / folder).read_new()]


def asked(server: HostileServer) -> Counter[str]:
    return Counter(request.question for request in server.requests)


def test_every_question_of_the_splits_is_asked_once_and_stored(project: Project) -> None:
    with served(good("Hello.", " Bye.")) as server:
        events = generate(project, options(server))
        again = generate(project, options(server))
    assert len(server.requests) == 10  # the test split is not asked, and nothing is asked again
    examples = [curated.example for curated in project.examples.all()]
    assert {example.key.question_id for example in examples} == set(range(1, 11))
    first = examples[0]
    assert (first.answer, first.finish_reason, first.teacher_kind, first.token_ids) == (
        "Hello. Bye.",
        "stop",
        "endpoint",
        None,
    )
    assert first.key.teacher == f"peer @ {server.url}"
    assert [check.passed for check in first.checks] == [True]
    assert first.usage.completion_tokens == 2
    assert first.temperature == 0.7
    assert project.examples.in_flight() == 0
    ended = [e for e in events if isinstance(e, AnswerEnded)]
    assert len(ended) == 10
    assert all(e.passed and e.answer == "Hello. Bye." for e in ended)
    assert {e.stream for e in events if isinstance(e, AnswerStarted)} == {e.stream for e in ended}
    progress = [e for e in events if isinstance(e, Progress)]
    assert (progress[-1].done, progress[-1].total) == (10, 10)
    assert not [e for e in again if isinstance(e, AnswerStarted)]
    assert project.settings.timings()["generate"] >= 0
    assert server.requests[0].body["messages"] == [
        {"role": "system", "content": "Be kind, and end with Bye."},
        {"role": "user", "content": "Question 0?"},
    ]


def test_the_first_request_goes_alone_and_the_rest_together(project: Project) -> None:
    together: list[int] = []

    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        together.append(server.in_flight)
        if len(server.requests) > 1:
            await asyncio.sleep(0.1)
        await good()(request, writer)

    with served(slow) as server:
        generate(project, options(server, concurrency=4))
    assert together[0] == 1
    assert server.most_in_flight == 4


def test_more_samples_ask_only_for_what_is_missing(project: Project) -> None:
    with served(good("Hi. Bye.")) as server:
        generate(project, options(server, limit=3))
        generate(project, options(server, limit=3, samples=3))
    assert set(asked(server).values()) == {3}
    assert len(project.examples.all()) == 9


def test_a_wider_limit_asks_only_what_it_adds_and_any_limit_asks_every_topic_and_split(project: Project) -> None:
    with served(good("Hi. Bye.")) as server:
        for limit in (2, 5, 8):
            generate(project, options(server, limit=limit))
            assert len(server.requests) == limit, "what was asked for is among what is wanted now"
    by_text = {question.text: question for question in project.questions.all()}
    first = [by_text[request.question] for request in server.requests[:5]]
    assert {question.topic for question in first} == {"t0", "t1", "t2", "t3"}
    assert {question.split for question in first} == {"train", "validation"}


def test_until_accepted_asks_again_only_what_broke_a_rule(project: Project) -> None:
    tries: Counter[str] = Counter()

    async def stubborn(request: Request, writer: asyncio.StreamWriter) -> None:
        tries[request.question] += 1
        kept = tries[request.question] > int(request.question[9:-1])
        await good("Well. Bye." if kept else "Never.")(request, writer)

    with served(stubborn) as server:
        generate(project, options(server, samples=3, stop_when_accepted=True))
        generate(project, options(server, samples=3, stop_when_accepted=True))
    assert tries == {f"Question {n}?": min(n + 1, 3) for n in range(10)}


def test_a_question_that_cannot_be_answered_does_not_stop_the_others(project: Project) -> None:
    async def choosy(request: Request, writer: asyncio.StreamWriter) -> None:
        too_long = request.question == "Question 3?"
        answer = status("400 Bad Request", error("maximum context length is 9 tokens")) if too_long else good("Bye.")
        await answer(request, writer)

    with served(choosy) as server:
        events = generate(project, options(server, samples=2))
    assert len(project.examples.all()) == 18
    assert asked(server)["Question 3?"] in (1, 2)  # its second sample may be in flight already
    notes = [e.text for e in events if isinstance(e, Note)]
    assert any("Question 4 was not answered" in text and "context" in text for text in notes)
    assert any("1 question could not be answered (context 1)" in text or "(context 2)" in text for text in notes)
    assert project.examples.in_flight() == 0


@pytest.mark.parametrize(
    "refusal",
    [status("401 Unauthorized", error(f"Incorrect API key: {CANARY}")), status("402 Payment Required", error("Pay."))],
)
def test_a_key_that_is_revoked_in_mid_run_stops_the_job_and_keeps_what_came(
    project: Project, refusal: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def revoked(request: Request, writer: asyncio.StreamWriter) -> None:
        await (good("Bye.") if len(server.requests) <= 4 else refusal)(request, writer)

    with served(revoked) as server:
        monkeypatch.setenv(f"DISTILL_TUI_API_KEY_127_0_0_1_{server.port}", CANARY)
        with pytest.raises(EndpointError) as caught:
            generate(project, options(server, concurrency=2))
    assert CANARY not in str(caught.value)
    assert len(project.examples.all()) == 4
    assert len(server.requests) <= 7
    assert project.examples.in_flight() == 0


def test_the_key_is_in_no_artefact(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
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
        job = project.start_job(options(server, concurrency=1))
        wait_for_end(project, job.id)
    assert len(project.examples.all()) == 9
    project.close()
    read = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    assert any(path.name == "events.jsonl" for path in read)
    assert [path for path, data in read.items() if CANARY.encode() in data] == []
    assert any(b"redacted" in data for data in read.values())


def test_a_dead_server_stops_the_job(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "EndpointLimits", partial(EndpointLimits, longest_wait_s=0.01))
    with served(good()) as gone:
        wanted = options(gone)
    with pytest.raises(EndpointError, match="cannot be reached"):
        generate(project, wanted)


def test_a_server_that_only_fails_stops_the_job(project: Project) -> None:
    refusal = status("400 Bad Request", error("no such parameter"))
    with served(good("Bye."), refusal) as server, pytest.raises(EndpointError, match="refused"):
        generate(project, options(server, samples=2, splits=("train", "validation", "test"), concurrency=1))
    assert len(server.requests) == 11


def test_a_model_that_only_thinks_is_not_paid_for_every_question(project: Project) -> None:
    thinks = raw(head(), event(delta(None, "length")), event(usage(30, 512)), DONE)
    with served(thinks) as server, pytest.raises(EndpointError, match="Raise the answer token limit"):
        generate(project, options(server, samples=2, splits=("train", "validation", "test"), concurrency=1))
    assert len(server.requests) == 10


def test_a_question_on_which_it_only_thinks_does_not_stop_the_others(project: Project) -> None:
    thinks = raw(head(), event(delta(None, "length")), event(usage(30, 512)), DONE)
    with served(good("Bye."), thinks) as server:
        generate(project, options(server, samples=2, splits=("train", "validation", "test"), concurrency=1))
    assert len(server.requests) > 11
    assert len(project.examples.all()) == 1


def test_a_teacher_that_answered_before_and_refuses_everything_now_is_not_asked_everything(project: Project) -> None:
    refusal = status("400 Bad Request", error("no such parameter"))
    with served(good("Bye."), refusal) as server:
        generate(project, options(server, limit=1))
        with pytest.raises(EndpointError, match="no such parameter"):
            generate(project, options(server, samples=2, splits=("train", "validation", "test"), concurrency=1))
    assert len(server.requests) == 11


def test_a_cut_answer_is_stored_as_cut(project: Project) -> None:
    with served(good("Too long", finish="length")) as server:
        generate(project, options(server, limit=1))
    (curated,) = project.examples.all()
    assert curated.example.finish_reason == "length"


def test_missing_usage_is_counted_and_marked(project: Project) -> None:
    with served(raw(head(), event(delta("A few words. Bye.", "stop")), DONE)) as server:
        generate(project, options(server, limit=1))
    counted = project.examples.all()[0].example.usage
    assert counted.counted_here
    assert counted.prompt_tokens > counted.completion_tokens > 0


def test_a_count_of_tokens_that_is_none_loses_no_answer(project: Project) -> None:
    said = (event(delta("Well. Bye.", "stop")),)
    huge = raw(head(), *said, event(usage(30, 10**19)), DONE)
    digits = b'data: {"choices": [], "usage": {"prompt_tokens": ' + b"9" * 5000 + b', "completion_tokens": 1}}\n\n'
    with served(good("Bye."), huge, raw(head(), *said, digits, DONE), good("Bye.")) as server:
        generate(project, options(server, concurrency=1, limit=4))
    assert len(server.requests) == 5, "what cannot be read is asked again"
    counted = [curated.example.usage.counted_here for curated in project.examples.all()]
    assert counted == [False, True, False, False]


def test_deltas_are_few_and_complete(project: Project) -> None:
    words = [f"w{n} " for n in range(100)]
    chunks = [event(delta(word)) for word in words]
    began = time.monotonic()
    with served(raw(head(), *chunks, event(delta(None, "stop")), event(usage(9, 100)), DONE, pause=0.003)) as server:
        events = generate(project, options(server, limit=1))
    most = (time.monotonic() - began) / 0.1  # ten a second, however long a busy machine takes
    pieces = [e.text for e in events if isinstance(e, AnswerDelta)]
    (ended,) = [e for e in events if isinstance(e, AnswerEnded)]
    assert 1 <= len(pieces) <= most
    assert "".join(words).startswith("".join(pieces))
    assert ended.answer == "".join(words)


def test_a_retried_answer_begins_a_new_stream(project: Project) -> None:
    with served(raw(head(), event(delta("Half"))), good("Whole. Bye.")) as server:
        events = generate(project, options(server, limit=1))
    streams = [e.stream for e in events if isinstance(e, AnswerStarted)]
    ended = {e.stream: (e.answer, e.passed) for e in events if isinstance(e, AnswerEnded)}
    assert ended == {streams[0]: ("", False), streams[1]: ("Whole. Bye.", True)}
    faults = [(e.fault, e.again) for e in events if isinstance(e, AnswerEnded)]
    assert faults == [("cut", True), ("", False)]


def test_a_question_that_is_not_answered_tells_the_kind_of_its_fault(project: Project) -> None:
    long = status("400 Bad Request", error("maximum context length is 10 tokens", "context_length_exceeded"))
    with served(good("Hi. Bye."), long, good("Hi. Bye.")) as server:
        events = generate(project, options(server, limit=3, concurrency=1))
    assert [(e.fault, e.again) for e in events if isinstance(e, AnswerEnded) and e.fault] == [("context", False)]


def test_a_budget_without_a_price_is_refused_before_anything_is_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTILL_TUI_API_KEY_PEER_EXAMPLE", CANARY)
    with pytest.raises(BudgetError, match="No price is known"):
        generate(project, GenerateOptions(TeacherSpec("endpoint", "peer", "https://peer.example/v1"), max_cost_usd=1.0))


def test_a_stop_takes_the_answers_in_flight_and_asks_no_more(project: Project) -> None:
    stop = StopFlag()

    async def stopping(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) == 4:
            stop.up = True
        await asyncio.sleep(0.05)
        await good("Bye.")(request, writer)

    with served(stopping) as server:
        with pytest.raises(JobStopped):
            generate(project, options(server, concurrency=3), stop)
        assert len(project.examples.all()) == len(server.requests) < 10
        assert project.examples.in_flight() == 0
        (job,) = status_json(project)["jobs"]
        assert 0 < project.settings.timings()["generate"] <= job["worked_s"] + 0.001, "also where nobody resumes it"
        generate(project, options(server))
    assert set(asked(server).values()) == {1}


def test_time_of_a_station_is_that_of_all_jobs_that_worked_there(project: Project) -> None:
    with served(good("Bye.")) as server:
        first, *rest = [question.id for question in project.questions.all()]
        generate(project, options(server, asks=((first, 0),)))
        (earlier,) = project.jobs.all()
        project.jobs.keep_work(earlier.id, "examples", 60.0, 0)
        generate(project, options(server, asks=tuple((number, 0) for number in rest)))
    latest = project.jobs.work(project.jobs.all()[-1].id)["examples"].seconds
    assert 60.0 < project.settings.timings()["generate"] <= 60.0 + latest


def test_its_time_is_that_of_all_its_processes_and_one_that_asks_nothing_leaves_it(project: Project) -> None:
    with served(good("Bye.")) as server:
        wanted = options(server)
        job = project.jobs.add(wanted)
        for _ in range(2):  # the second finds everything stored
            context = JobContext(project, job)
            run(context, wanted)
            context.close()
            project.jobs.keep_work(job.id, "examples", 1000.0, 0)
        took = project.settings.timings()["generate"]
        generate(project, wanted)
    assert len(server.requests) == 10
    assert project.settings.timings()["generate"] == took >= 1000.0


def test_answers_that_a_locked_store_refused_are_stored_at_the_end(
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
        generate(project, options(server))
    assert refused
    stored = {curated.example.key for curated in project.examples.all()}
    assert {example.key for example in refused} <= stored
    assert project.examples.in_flight(stored) == 0  # others may still have been asked for when the store refused


def test_a_pause_takes_the_answers_in_flight_and_goes_on_later(project: Project) -> None:
    asked_in_pause = 0

    async def pausing(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal asked_in_pause
        asked_in_pause += wishes.is_paused
        if len(server.requests) == 4:
            wishes.pause()
        await asyncio.sleep(0.05)
        await good("Bye.")(request, writer)

    with served(pausing) as server:
        wanted = options(server, concurrency=3)
        job = project.jobs.add(wanted)
        context = JobContext(project, job)
        wishes = PausedOnce(context.folder)
        run(context, wanted)
        context.close()
    events = events_of(project, job.folder)
    paused = next(at for at, e in enumerate(events) if isinstance(e, StateChanged) and e.state == "paused")
    told = [e for e in events[:paused] if isinstance(e, Progress)]
    assert told[-1].done == sum(isinstance(e, AnswerEnded) for e in events[:paused]) > 0
    assert asked_in_pause == 0
    assert set(asked(server).values()) == {1}
    assert len(project.examples.all()) == 10


class PausedOnce:
    """A person who pauses the job, and lets it go on once it rests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.is_paused = False

    def pause(self) -> None:
        write_wish(self._folder, "pause")
        threading.Thread(target=self._resume_when_paused).start()

    def _resume_when_paused(self) -> None:
        wait_until(lambda: b'"paused"' in (self._folder / "events.jsonl").read_bytes())
        self.is_paused = True
        time.sleep(0.2)
        self.is_paused = False
        write_wish(self._folder, "run")


def test_two_at_once_ask_for_everything_once_and_the_later_says_for_whom_it_waits(project: Project) -> None:
    opened = threading.Event()

    async def gated(request: Request, writer: asyncio.StreamWriter) -> None:
        first = len(server.requests) == 1  # it is held whatever else is asked meanwhile
        while first and not opened.is_set():
            await asyncio.sleep(0.01)
        await good("Bye.")(request, writer)

    def once_more() -> None:
        with Project.open(project.folder) as mine:
            generate(mine, wanted)

    with served(gated) as server, ThreadPoolExecutor() as pool:
        wanted = options(server)
        try:
            first = pool.submit(once_more)
            wait_until(lambda: len(server.requests) == 1)
            told = generate(project, options(server, asks=((1, 1),)))  # nobody else may ask for this one
            assert not [event for event in told if isinstance(event, Note)], "what another asks for was not killed"
            assert [curated.example.key.attempt for curated in project.examples.all()] == [1]
            second = pool.submit(once_more)
            wait_until(lambda: project.jobs.all()[-1].note == "job 1 (generate) of kind asks for the same answers")
            assert project.jobs.all()[-1].state == "waiting"
        finally:
            opened.set()
        first.result()
        second.result()
    assert sum(asked(server).values()) == len(project.examples.all()) == 11
    assert project.jobs.all()[-1].done == 10


def test_a_job_that_is_taken_up_counts_no_money_of_another(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "find_prices", lambda *_: Prices(0.0, 10_000.0, 0.0))  # 1 cent a token
    with served(good("Dear", " all", " Bye.")) as server:
        wanted = options(server, concurrency=1, max_cost_usd=0.16, max_answer_tokens=4)
        job = project.jobs.add(wanted)  # killed before its first answer
        generate(project, options(server, splits=("validation",)))
        assert project.spending.usd() == pytest.approx(0.06)
        context = JobContext(project, job)
        run(context, wanted)
        context.close()
    spent = [e.usd for e in events_of(project, job.folder) if isinstance(e, Spent)]
    assert (spent[0], spent[-1]) == (0.0, pytest.approx(0.15))
    assert len(project.examples.all()) == 2 + 5


def test_nothing_to_ask_is_said(project: Project) -> None:
    project.questions.remove([question.id for question in project.questions.all()])
    with served(good()) as server, pytest.raises(UsageError, match="no question"):
        generate(project, options(server))


def test_killed_at_random_moments_nothing_stored_is_asked_again(project: Project) -> None:
    """SIGKILL a generation again and again: in the end all is stored, and only what was in flight was asked twice."""
    seed = int(os.environ.get("KILL_SEED", "7"))
    chance = random.Random(seed)
    concurrency = 4
    stored_when_asked: list[str] = []
    names = {question.id: question.text for question in project.questions.all()}

    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        with Project.open(project.folder) as seen:
            if request.question in {names[stored.example.key.question_id] for stored in seen.examples.all(prompt)}:
                stored_when_asked.append(request.question)
        await asyncio.sleep(chance.uniform(0.01, 0.12))
        await good("Kind. Bye.")(request, writer)

    kills = in_flight_at_kills = 0
    worked: list[float] = []
    with served(slow) as server:
        wanted = options(server, concurrency=concurrency, splits=("train", "validation", "test"))
        prompt = current_sha256(project)
        job = project.start_job(wanted)
        while kills < KILLS:
            wait_for_request(server, project, job.id)
            time.sleep(chance.uniform(0, 0.1))
            now = project.jobs.get(job.id)
            if not is_alive(now):
                break
            os.kill(now.pid, signal.SIGKILL)
            wait_until_lost(project, job.id)
            kills += 1
            in_flight_at_kills += project.examples.in_flight()
            worked.append(project.jobs.work(job.id)["examples"].seconds)
            job = resume(project, project.jobs.get(job.id))
        wait_for_end(project, job.id)
    assert project.jobs.get(job.id).state == "done"
    assert len(project.examples.all()) == 12
    assert kills == KILLS
    worked.append(project.settings.timings()["generate"])
    assert worked == sorted(set(worked)), "no process begins to count anew"
    assert stored_when_asked == []
    assert len(server.requests) - 12 <= in_flight_at_kills <= kills * concurrency
    assert project.examples.in_flight() == 0


def current_sha256(project: Project) -> str:
    version = project.prompts.current()
    assert version is not None
    return version.prompt.sha256


def test_an_answer_whose_question_was_removed_is_paid_for_and_counts_over_a_resume(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = Prices(input_usd_per_mtok=0.0, output_usd_per_mtok=10_000.0, cached_input_usd_per_mtok=0.0)
    monkeypatch.setattr(budget, "find_prices", lambda *_: prices)  # 1 cent a token

    async def removing(request: Request, writer: asyncio.StreamWriter) -> None:
        with Project.open(project.folder) as mine:
            mine.questions.remove(q.id for q in mine.questions.all() if q.text == request.question)
        await good("Dear", " all", " Bye.")(request, writer)

    with served(removing, good("Dear", " all", " Bye.")) as server:
        wanted = options(server, concurrency=1, max_cost_usd=0.16, max_answer_tokens=4)
        job = project.jobs.add(wanted)
        for asks in (5, 0):
            before = len(server.requests)
            context = JobContext(project, job)
            run(context, wanted)
            context.close()
            assert len(server.requests) - before == asks
            assert project.spending.usd() == pytest.approx(0.15)
            assert project.jobs.work(job.id)["examples"].cost_usd == pytest.approx(0.15)
            stored = project.examples.all()
            project.questions.remove([stored[0].example.key.question_id])  # one more, whose answer was stored
    assert len(stored) == 3
    spent = [e for e in events_of(project, job.folder) if isinstance(e, Spent)]
    assert spent[-1].usd == pytest.approx(0.15)


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def wait_for_request(server: HostileServer, project: Project, job_id: int) -> None:
    before = len(server.requests)
    wait_until(lambda: len(server.requests) > before or not is_alive(project.jobs.get(job_id)))


def wait_until_lost(project: Project, job_id: int) -> None:
    # A killed process is gone a moment before the kernel gives its locks back.
    wait_until(lambda: bool(mark_lost_jobs(project)) or project.jobs.get(job_id).state == "lost")


def wait_for_end(project: Project, job_id: int) -> None:
    wait_until(lambda: project.jobs.get(job_id).state not in ("waiting", "running", "paused"), 60)


def test_the_budget_stops_before_it_is_passed_and_counts_over_a_resume(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = Prices(input_usd_per_mtok=0.0, output_usd_per_mtok=10_000.0, cached_input_usd_per_mtok=0.0)
    monkeypatch.setattr(budget, "find_prices", lambda *_: prices)  # 1 cent a token
    spends = good("Dear", " all", " Bye.")
    with served(spends) as server:
        wanted = options(server, concurrency=4, max_cost_usd=0.16, max_answer_tokens=4)
        job = project.jobs.add(wanted)
        for _ in range(2):
            context = JobContext(project, job)
            run(context, wanted)
            context.close()
    # Each answer costs 3 cents and may cost 4: the fifth is asked at 12 cents, a sixth could pass 16.
    assert len(server.requests) == len(project.examples.all()) == 5
    assert project.spending.usd() == pytest.approx(0.15)
    notes = [e.text for e in events_of(project, job.folder) if isinstance(e, Note)]
    assert sum("The budget is spent" in text for text in notes) == 2
    spent = [e for e in events_of(project, job.folder) if isinstance(e, Spent)]
    assert [e.usd for e in spent] == sorted(e.usd for e in spent)
    assert spent[-1].usd == pytest.approx(0.15)
    assert {e.limit_usd for e in spent} == {0.16}
    assert max(e.completion_tokens for e in spent) >= 12


@pytest.mark.parametrize("finish", ["length", "stop"])
def test_an_answer_that_never_came_is_billed_and_the_budget_binds_over_a_resume(
    project: Project, monkeypatch: pytest.MonkeyPatch, finish: str
) -> None:
    monkeypatch.setattr(EndpointTeacher, "_wait", lambda self, state: 0.0)
    monkeypatch.setattr(budget, "find_prices", lambda *_: Prices(1_000.0, 1_000.0, 1_000.0))  # 0.1 cents a token
    thinks = raw(head(), event(delta("<think>Hm.")), event(delta(None, finish)), event(usage(1_000, 500)), DONE)
    with served(thinks) as server:
        wanted = options(server, max_cost_usd=2.0)
        job = project.jobs.add(wanted)
        for _ in range(2):
            context = JobContext(project, job)
            with suppress(TeacherError):  # where a question failed and none was answered
                run(context, wanted)
            context.close()
    assert len(server.requests) == 1, "another one could pass the limit"
    assert project.spending.usd() == project.jobs.work(job.id)["examples"].cost_usd == pytest.approx(1.5)
    assert project.spending.mean_answer_tokens() is None
    assert project.examples.in_flight() == 0
    told = events_of(project, job.folder)
    assert sum("The budget is spent" in e.text for e in told if isinstance(e, Note)) == 2
    assert [e.usd for e in told if isinstance(e, Spent)][-1] == pytest.approx(1.5)


def test_what_failed_tries_cost_is_booked_beside_the_answer_and_emptiness_is_tried_twice(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EndpointTeacher, "_wait", lambda self, state: 0.0)
    monkeypatch.setattr(budget, "find_prices", lambda *_: Prices(0.0, 10_000.0, 0.0))  # 1 cent a token
    cut = raw(head(), event(delta("Half")), event(usage(30, 7)))
    empty = raw(head(), event(delta(None, "stop")), event(usage(30, 2)), DONE)
    with served(cut, good("Dear", " all", " Bye."), empty, empty, good("Bye.")) as server:
        generate(project, options(server, concurrency=1, limit=3))
    first, second, third = [each.text for each in questions_of(project, options(server, limit=3))]
    assert [request.question for request in server.requests] == [first, first, second, second, third]
    assert project.spending.usd() == pytest.approx(0.07 + 0.03 + 2 * 0.02 + 0.01)
    assert project.spending.mean_answer_tokens() == 2.0


def test_tries_that_break_off_before_they_are_counted_are_paid_from_the_budget(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EndpointTeacher, "_wait", lambda self, state: 0.0)
    monkeypatch.setattr(budget, "find_prices", lambda *_: Prices(0.0, 10_000.0, 0.0))  # 1 cent a token
    cut = raw(head(), event(delta("It is forty characters long, or ten tokens.")))
    half = raw(head(), b'data: {"choices":[{"delta":{"content":"Half\\ud83d"},"finish_reason":"stop"}]}\n\n')
    with served(half, cut) as server, suppress(TeacherError):
        generate(project, options(server, concurrency=1, max_cost_usd=0.3, max_answer_tokens=10))
    assert len(server.requests) == 3, "another one could pass the limit"
    assert project.spending.usd() == pytest.approx(0.02 + 2 * 0.11)

"""Question synthesis as a job: what it stores and reports as it runs, and how it resumes after a stop."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.errors import JobStopped, TeacherError, UsageError
from engine.jobs.context import JobContext, StopFlag
from engine.jobs.follow import Follower
from engine.jobs.protocol import AnswerEnded, AnswerStarted, Event, Note, Progress
from engine.paths import Home
from engine.project import Project
from engine.questions.job import run
from engine.records.job import Job
from engine.records.options import SynthesizeOptions, TeacherSpec
from engine.records.prompt import Message, Prompt
from tests.engine.jobs.support import wait_until
from tests.engine.teachers.hostile_server import HostileServer, Request, error, good, served, status

TOPICS, FIRST, SECOND = "1. hours\n2. loans", "1. Is it open?\n2. When?", "1. Can I lend?\n2. When?"


@pytest.fixture
def project() -> Iterator[Project]:
    with Project.create(Home.locate().projects / "kind") as made:
        made.prompts.set(Prompt((Message("system", "Be kind."),)))
        yield made


def add_job(project: Project, server: HostileServer) -> tuple[Job, SynthesizeOptions]:
    options = SynthesizeOptions(TeacherSpec("endpoint", "peer", server.url), topics=2, per_topic=2)
    return project.jobs.add(options), options


def run_job(project: Project, job: Job, options: SynthesizeOptions, stop: StopFlag | None = None) -> None:
    context = JobContext(project, job, stop)
    try:
        run(context, options)
    finally:
        context.close()


def events_of(project: Project, job: Job) -> list[Event]:
    return [stamped.event for stamped in Follower(project.folder / job.folder).read_new()]


def texts(project: Project) -> list[tuple[str, str]]:
    return [(question.topic, question.text) for question in project.questions.all()]


def test_job_names_topics_and_stores_their_questions(project: Project) -> None:
    with served(*map(good, (TOPICS, FIRST, SECOND))) as server:
        job, options = add_job(project, server)
        run_job(project, job, options)
    assert texts(project) == [("hours", "Is it open?"), ("hours", "When?"), ("loans", "Can I lend?")]
    events = events_of(project, job)
    assert [event.stream for event in events if isinstance(event, AnswerStarted)] == ["hours", "loans"]
    assert [event.answer for event in events if isinstance(event, AnswerEnded)] == [
        "Is it open?\nWhen?", "Can I lend?",
    ]  # fmt: skip
    assert [event for event in events if isinstance(event, Progress)][-1] == Progress(2, 2, "3 questions stored", 0.0)
    assert project.settings.timings()["questions"] >= 0
    assert [request.body["max_tokens"] for request in server.requests] == [512] * 3


def test_resumed_job_continues_with_its_named_topics(project: Project) -> None:
    refusal = status("401 Unauthorized", error("No such key"))
    with served(good(TOPICS), good(FIRST), refusal, good(SECOND)) as server:
        job, options = add_job(project, server)
        with pytest.raises(TeacherError):
            run_job(project, job, options)
        assert len(texts(project)) == 2
        assert project.settings.timings()["questions"] > 0, "even if the job is never resumed"
        run_job(project, job, options)
    assert len(server.requests) == 4
    assert "about this topic: loans" in server.requests[-1].question
    assert texts(project)[-1] == ("loans", "Can I lend?")


def test_stopped_job_sends_no_further_request(project: Project) -> None:
    stop = StopFlag()
    stop.up = True
    with served(good(TOPICS)) as server:
        job, options = add_job(project, server)
        with pytest.raises(JobStopped):
            run_job(project, job, options, stop)
    assert not server.requests


@pytest.mark.parametrize("reply", ["::", '["Is it open?", "When?",]'])
def test_topic_without_a_readable_list_is_noted_and_skipped(project: Project, reply: str) -> None:
    with served(*map(good, (TOPICS, reply, SECOND))) as server:
        job, options = add_job(project, server)
        run_job(project, job, options)
    assert "hours: 0" in [event.text for event in events_of(project, job) if isinstance(event, Note)]
    assert [topic for topic, _ in texts(project)] == ["loans", "loans"]


def test_question_cut_off_by_the_token_limit_is_left_out(project: Project) -> None:
    cut_second = "1. Is it open?\n2. My card was lost while I was\n   travelling in the nor"
    cut_first = "1. Can I le"
    with served(good(TOPICS), good(cut_second, finish="length"), good(cut_first, finish="length")) as server:
        job, options = add_job(project, server)
        run_job(project, job, options)
    assert texts(project) == [("hours", "Is it open?")]
    notes = [event.text for event in events_of(project, job) if isinstance(event, Note)]
    assert notes.count("A reply reached its token limit: its last item is left out.") == 2
    assert "loans: 0" in notes


def test_reason_for_waiting_for_the_endpoint_is_noted(project: Project) -> None:
    busy = status("429 Too Many Requests", error("Slow down."), "retry-after-ms: 10")
    with served(busy, *map(good, (TOPICS, FIRST, SECOND))) as server:
        job, options = add_job(project, server)
        run_job(project, job, options)
    first = next(event.text for event in events_of(project, job) if isinstance(event, Note))
    assert first == "Retry 1 of 6 in 1 s: The endpoint asks for fewer requests. HTTP 429: Slow down."


def test_no_request_is_sent_without_a_prompt() -> None:
    with Project.create(Home.locate().projects / "bare") as bare, served(good(TOPICS)) as server:
        job, options = add_job(bare, server)
        with pytest.raises(UsageError, match="There is no prompt"):
            run_job(bare, job, options)
        assert not server.requests


def test_second_job_waits_and_leaves_out_topics_that_have_questions(project: Project) -> None:
    released = threading.Event()

    async def hold_reply(request: Request, writer: asyncio.StreamWriter) -> None:
        while len(server.requests) == 1 and not released.is_set():
            await asyncio.sleep(0.01)
        await good(TOPICS)(request, writer)

    def run_another_job() -> None:
        with Project.open(project.folder) as mine:
            run_job(mine, *add_job(mine, server))

    replies = map(good, (FIRST, SECOND, "1. Hours.\n2. cards\n3. fees", "1. Lost?", "1. How much?"))
    with served(hold_reply, *replies) as server, ThreadPoolExecutor() as pool:
        try:
            first = pool.submit(run_another_job)
            wait_until(lambda: len(server.requests) == 1)
            second = pool.submit(run_another_job)
            wait_until(lambda: project.jobs.all()[-1].note == "job 1 (synthesize) of kind asks for questions")
            assert project.jobs.all()[-1].state == "waiting"
        finally:
            released.set()
        first.result()
        second.result()
    assert "Leave out these: hours; loans" in server.requests[3].question
    assert list(dict.fromkeys(topic for topic, _ in texts(project))) == ["hours", "loans", "cards", "fees"]

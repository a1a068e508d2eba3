"""Synthesis as a job: what it stores as it goes, what it tells, and how it goes on after it was stopped."""

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


def begin(project: Project, server: HostileServer) -> tuple[Job, SynthesizeOptions]:
    wanted = SynthesizeOptions(TeacherSpec("endpoint", "peer", server.url), topics=2, per_topic=2)
    return project.jobs.add(wanted), wanted


def carry_out(project: Project, job: Job, wanted: SynthesizeOptions, stop: StopFlag | None = None) -> None:
    context = JobContext(project, job, stop)
    try:
        run(context, wanted)
    finally:
        context.close()


def told(project: Project, job: Job) -> list[Event]:
    return [stamped.event for stamped in Follower(project.folder / job.folder).read_new()]


def texts(project: Project) -> list[tuple[str, str]]:
    return [(question.topic, question.text) for question in project.questions.all()]


def test_topics_are_named_and_their_questions_stored_as_they_come(project: Project) -> None:
    with served(*map(good, (TOPICS, FIRST, SECOND))) as server:
        job, wanted = begin(project, server)
        carry_out(project, job, wanted)
    assert texts(project) == [("hours", "Is it open?"), ("hours", "When?"), ("loans", "Can I lend?")]
    events = told(project, job)
    assert [event.stream for event in events if isinstance(event, AnswerStarted)] == ["hours", "loans"]
    assert [event.answer for event in events if isinstance(event, AnswerEnded)] == [
        "Is it open?\nWhen?", "Can I lend?",
    ]  # fmt: skip
    assert [event for event in events if isinstance(event, Progress)][-1] == Progress(2, 2, "3 questions stored", 0.0)
    assert project.settings.timings()["questions"] >= 0
    assert [request.body["max_tokens"] for request in server.requests] == [512] * 3


def test_taken_up_again_it_goes_on_with_the_topics_it_had_named(project: Project) -> None:
    refusal = status("401 Unauthorized", error("No such key"))
    with served(good(TOPICS), good(FIRST), refusal, good(SECOND)) as server:
        job, wanted = begin(project, server)
        with pytest.raises(TeacherError):
            carry_out(project, job, wanted)
        assert len(texts(project)) == 2
        assert project.settings.timings()["questions"] > 0, "also where nobody resumes it"
        carry_out(project, job, wanted)
    assert len(server.requests) == 4
    assert "about this topic: loans" in server.requests[-1].question
    assert texts(project)[-1] == ("loans", "Can I lend?")


def test_it_stops_between_two_requests(project: Project) -> None:
    stop = StopFlag()
    stop.up = True
    with served(good(TOPICS)) as server:
        job, wanted = begin(project, server)
        with pytest.raises(JobStopped):
            carry_out(project, job, wanted, stop)
    assert not server.requests


@pytest.mark.parametrize("reply", ["::", '["Is it open?", "When?",]'])
def test_a_topic_without_a_list_is_told_and_the_next_one_comes(project: Project, reply: str) -> None:
    with served(*map(good, (TOPICS, reply, SECOND))) as server:
        job, wanted = begin(project, server)
        carry_out(project, job, wanted)
    assert "hours: 0" in [event.text for event in told(project, job) if isinstance(event, Note)]
    assert [topic for topic, _ in texts(project)] == ["loans", "loans"]


def test_a_question_at_which_a_reply_was_cut_is_left_out(project: Project) -> None:
    cut = "1. Is it open?\n2. My card was lost while I was\n   travelling in the nor"
    one_line = "1. Can I le"
    with served(good(TOPICS), good(cut, finish="length"), good(one_line, finish="length")) as server:
        job, wanted = begin(project, server)
        carry_out(project, job, wanted)
    assert texts(project) == [("hours", "Is it open?")]
    notes = [event.text for event in told(project, job) if isinstance(event, Note)]
    assert notes.count("A reply reached its token limit: its last item is left out.") == 2
    assert "loans: 0" in notes


def test_why_it_waits_for_the_endpoint_is_told(project: Project) -> None:
    busy = status("429 Too Many Requests", error("Slow down."), "retry-after-ms: 10")
    with served(busy, *map(good, (TOPICS, FIRST, SECOND))) as server:
        job, wanted = begin(project, server)
        carry_out(project, job, wanted)
    first = next(event.text for event in told(project, job) if isinstance(event, Note))
    assert "asks for fewer requests. HTTP 429: Slow down. Asked again in" in first


def test_without_a_prompt_nobody_is_asked() -> None:
    with Project.create(Home.locate().projects / "bare") as bare, served(good(TOPICS)) as server:
        job, wanted = begin(bare, server)
        with pytest.raises(UsageError, match="There is no prompt"):
            carry_out(bare, job, wanted)
        assert not server.requests


def test_of_two_at_once_the_later_waits_and_leaves_out_the_topics_that_have_questions(project: Project) -> None:
    opened = threading.Event()

    async def held(request: Request, writer: asyncio.StreamWriter) -> None:
        while len(server.requests) == 1 and not opened.is_set():
            await asyncio.sleep(0.01)
        await good(TOPICS)(request, writer)

    def once_more() -> None:
        with Project.open(project.folder) as mine:
            carry_out(mine, *begin(mine, server))

    replies = map(good, (FIRST, SECOND, "1. Hours.\n2. cards\n3. fees", "1. Lost?", "1. How much?"))
    with served(held, *replies) as server, ThreadPoolExecutor() as pool:
        try:
            first = pool.submit(once_more)
            wait_until(lambda: len(server.requests) == 1)
            second = pool.submit(once_more)
            wait_until(lambda: project.jobs.all()[-1].note == "job 1 (synthesize) of kind asks for questions")
            assert project.jobs.all()[-1].state == "waiting"
        finally:
            opened.set()
        first.result()
        second.result()
    assert "Leave out these: hours; loans" in server.requests[3].question
    assert list(dict.fromkeys(topic for topic, _ in texts(project))) == ["hours", "loans", "cards", "fees"]

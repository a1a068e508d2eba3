"""Generation from an endpoint: which questions are asked, and what is streamed and stored."""

import asyncio
import time
from collections import Counter

import pytest

from engine.errors import UsageError
from engine.jobs.protocol import AnswerDelta, AnswerEnded, AnswerStarted, Progress, PromptRead
from engine.project import Project
from tests.engine.teachers.generation_helpers import endpoint_options, generate, request_counts
from tests.engine.teachers.hostile_server import (
    DONE,
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


def test_every_question_of_the_chosen_splits_is_asked_once_and_stored(project: Project) -> None:
    with served(good("Hello.", " Bye.")) as server:
        events = generate(project, endpoint_options(server))
        again = generate(project, endpoint_options(server))
    assert len(server.requests) == 10  # not the test split, and nothing twice
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
    assert [e.sha256 for e in events if isinstance(e, PromptRead)] == [first.key.prompt_sha256]
    progress = [e for e in events if isinstance(e, Progress)]
    assert (progress[-1].done, progress[-1].total) == (10, 10)
    assert not [e for e in again if isinstance(e, AnswerStarted)]
    assert project.settings.timings()["generate"] >= 0
    assert server.requests[0].body["messages"] == [
        {"role": "system", "content": "Be kind, and end with Bye."},
        {"role": "user", "content": "Question 0?"},
    ]


def test_first_request_is_sent_alone_and_the_rest_concurrently(project: Project) -> None:
    in_flight: list[int] = []

    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        in_flight.append(server.in_flight)
        if len(server.requests) > 1:
            await asyncio.sleep(0.1)
        await good()(request, writer)

    with served(slow) as server:
        generate(project, endpoint_options(server, concurrency=4))
    assert in_flight[0] == 1
    assert server.most_in_flight == 4


def test_more_samples_ask_only_for_missing_answers(project: Project) -> None:
    with served(good("Hi. Bye.")) as server:
        generate(project, endpoint_options(server, limit=3))
        generate(project, endpoint_options(server, limit=3, samples=3))
    assert set(request_counts(server).values()) == {3}
    assert len(project.examples.all()) == 9


def test_larger_limit_asks_only_the_added_questions_across_topics_and_splits(project: Project) -> None:
    with served(good("Hi. Bye.")) as server:
        for limit in (2, 5, 8):
            generate(project, endpoint_options(server, limit=limit))
            assert len(server.requests) == limit, "a larger limit includes the questions of a smaller one"
    by_text = {question.text: question for question in project.questions.all()}
    first = [by_text[request.question] for request in server.requests[:5]]
    assert {question.topic for question in first} == {"t0", "t1", "t2", "t3"}
    assert {question.split for question in first} == {"train", "validation"}


def test_only_questions_whose_answers_fail_a_rule_are_asked_again(project: Project) -> None:
    tries: Counter[str] = Counter()

    async def stubborn(request: Request, writer: asyncio.StreamWriter) -> None:
        tries[request.question] += 1
        passes = tries[request.question] > int(request.question[9:-1])
        await good("Well. Bye." if passes else "Never.")(request, writer)

    with served(stubborn) as server:
        generate(project, endpoint_options(server, samples=3, stop_when_accepted=True))
        generate(project, endpoint_options(server, samples=3, stop_when_accepted=True))
    assert tries == {f"Question {n}?": min(n + 1, 3) for n in range(10)}


def test_length_finish_reason_is_stored(project: Project) -> None:
    with served(good("Too long", finish="length")) as server:
        generate(project, endpoint_options(server, limit=1))
    (curated,) = project.examples.all()
    assert curated.example.finish_reason == "length"


def test_missing_usage_is_stored_as_counted_locally(project: Project) -> None:
    with served(raw(head(), event(delta("A few words. Bye.", "stop")), DONE)) as server:
        generate(project, endpoint_options(server, limit=1))
    counted = project.examples.all()[0].example.usage
    assert counted.counted_here
    assert counted.prompt_tokens > counted.completion_tokens > 0


def test_invalid_token_count_loses_no_answer(project: Project) -> None:
    answer = event(delta("Well. Bye.", "stop"))
    huge = raw(head(), answer, event(usage(30, 10**19)), DONE)
    digits = b'data: {"choices": [], "usage": {"prompt_tokens": ' + b"9" * 5000 + b', "completion_tokens": 1}}\n\n'
    with served(good("Bye."), huge, raw(head(), answer, digits, DONE), good("Bye.")) as server:
        generate(project, endpoint_options(server, concurrency=1, limit=4))
    assert len(server.requests) == 5, "an unreadable event is retried"
    counted = [curated.example.usage.counted_here for curated in project.examples.all()]
    assert counted == [False, True, False, False]


def test_at_most_ten_deltas_a_second_are_reported(project: Project) -> None:
    pieces = [f"w{n} " for n in range(100)]
    chunks = [event(delta(piece)) for piece in pieces]
    started = time.monotonic()
    with served(raw(head(), *chunks, event(delta(None, "stop")), event(usage(9, 100)), DONE, pause=0.003)) as server:
        events = generate(project, endpoint_options(server, limit=1))
    limit = (time.monotonic() - started) / 0.1  # ten a second, however long a busy machine takes
    deltas = [e.text for e in events if isinstance(e, AnswerDelta)]
    (ended,) = [e for e in events if isinstance(e, AnswerEnded)]
    assert 1 <= len(deltas) <= limit
    assert "".join(pieces).startswith("".join(deltas))
    assert ended.answer == "".join(pieces)


def test_retried_answer_starts_a_new_stream(project: Project) -> None:
    with served(raw(head(), event(delta("Half"))), good("Whole. Bye.")) as server:
        events = generate(project, endpoint_options(server, limit=1))
    streams = [e.stream for e in events if isinstance(e, AnswerStarted)]
    ended = {e.stream: (e.answer, e.passed) for e in events if isinstance(e, AnswerEnded)}
    assert ended == {streams[0]: ("", False), streams[1]: ("Whole. Bye.", True)}
    faults = [(e.fault, e.again) for e in events if isinstance(e, AnswerEnded)]
    assert faults == [("cut", True), ("", False)]


def test_unanswered_question_reports_the_kind_of_its_fault(project: Project) -> None:
    long = status("400 Bad Request", error("maximum context length is 10 tokens", "context_length_exceeded"))
    with served(good("Hi. Bye."), long, good("Hi. Bye.")) as server:
        events = generate(project, endpoint_options(server, limit=3, concurrency=1))
    assert [(e.fault, e.again) for e in events if isinstance(e, AnswerEnded) and e.fault] == [("context", False)]


def test_generation_without_questions_is_refused(project: Project) -> None:
    project.questions.remove([question.id for question in project.questions.all()])
    with served(good()) as server, pytest.raises(UsageError, match="no question"):
        generate(project, endpoint_options(server))

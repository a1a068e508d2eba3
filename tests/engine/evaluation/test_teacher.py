"""A teacher as the reference of an evaluation: over an endpoint that fails and refuses, or another local model."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from engine.errors import EndpointError
from engine.evaluation.plan import make_plan
from engine.evaluation.report import report_json
from engine.jobs.protocol import Note
from engine.project import Project
from engine.records.evaluation import ArmAnswer, Evaluation
from engine.records.options import TeacherSpec
from engine.reports.outputs import brief_text
from engine.teachers.endpoint import EndpointTeacher
from tests.engine.evaluation.evaluation_jobs import (
    OPTIONS,
    evaluate,
    latest_evaluation,
    stored_answers,
    wait_for_waiting_job,
)
from tests.engine.teachers.hostile_server import HostileServer, Request, good, served, status
from tests.trained import make_tiny_base


async def test_endpoint_teacher_is_the_reference_and_its_refusals_pass_no_rule(
    project: Project,
) -> None:
    options = dataclasses.replace(OPTIONS, samples=1, teacher=TeacherSpec("endpoint", "peer", "http://127.0.0.1:1/v1"))
    folder = project.folder

    def evaluate_in_thread(url: str) -> tuple[Evaluation, list[ArmAnswer], list[str]]:
        with Project.open(folder) as opened:
            endpoint_options = dataclasses.replace(options, teacher=TeacherSpec("endpoint", "peer", url))
            events = evaluate(opened, endpoint_options).events
            notes = [event.text for event in events if isinstance(event, Note)]
            return latest_evaluation(opened), stored_answers(opened, endpoint_options)["teacher"], notes

    refusal = status("400 Bad Request", {"error": {"message": "no", "code": "content_filter"}})
    busy = status("429 Too Many Requests", {"error": {"message": "later"}}, "retry-after-ms: 10")
    async with HostileServer([refusal, busy, good("A fin", " day."), good("A fine day.")]) as server:
        evaluation, answers, notes = await asyncio.to_thread(evaluate_in_thread, server.url)
        assert len(server.requests) == 7
        messages = server.requests[0].body["messages"]
    assert isinstance(messages, list)
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert ["HTTP 429: later." in note and note.startswith("Retry 1 of 6") for note in notes] == [True]
    assert evaluation.reference == "teacher"
    teacher = evaluation.arm("teacher")
    assert teacher is not None
    assert teacher.kl_to_prompted is None
    assert sorted(answer.answer for answer in answers) == ["", "A fin day.", *["A fine day."] * 4]
    assert [rule.rate.passed for rule in teacher.rules] == [1, 5]
    assert teacher.ttft_ms_p50 is not None
    assert teacher.ttft_ms_p50 > 0


async def test_simultaneous_evaluations_ask_an_endpoint_teacher_once(project: Project) -> None:
    async def answer_once_the_other_waits(request: Request, writer: asyncio.StreamWriter) -> None:
        await wait_for_waiting_job(project, "(evaluate) of trained asks the teacher")
        await good("A fine day.")(request, writer)

    def evaluate_in_thread(url: str) -> None:
        with Project.open(project.folder) as opened:
            evaluate(opened, dataclasses.replace(OPTIONS, samples=1, teacher=TeacherSpec("endpoint", "peer", url)))

    async with HostileServer([answer_once_the_other_waits]) as server:
        await asyncio.gather(*(asyncio.to_thread(evaluate_in_thread, server.url) for _ in range(2)))
        assert len(server.requests) == 6
    assert latest_evaluation(project).id == 2


def test_outage_stores_no_answer_and_stored_error_answers_are_asked_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EndpointTeacher, "_wait", lambda self, state: 0.0)
    requests, down = 0, status("503 Service Unavailable", {"error": {"message": "overloaded"}})

    async def fail_after_two(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        await (good("A fin", " day.") if requests <= 2 or requests > 100 else down)(request, writer)

    with served(fail_after_two) as server:
        options = dataclasses.replace(OPTIONS, samples=1, teacher=TeacherSpec("endpoint", "peer", server.url))
        job = project.jobs.add(options)
        with pytest.raises(EndpointError, match="The server failed"):
            evaluate(project, options, job=job)
        assert project.evaluations.latest() is None
        stored = stored_answers(project, options)["teacher"]
        assert [answer.answer for answer in stored] == ["A fin day."] * 2
        plan = make_plan(project, options)
        missing = next(t for t in plan.tasks if t.question.id not in {answer.question_id for answer in stored})
        stored_error = dataclasses.replace(stored[0], question_id=missing.question.id, answer="", finish_reason="error")
        project.evaluations.add_answers(plan.run.id, plan.key, [stored_error], plan.sources["teacher"])
        requests, requests_before = 100, len(server.requests)
        evaluate(project, options, job=job)
        assert len(server.requests) - requests_before == 4
    assert [answer.answer for answer in stored_answers(project, options)["teacher"]] == ["A fin day."] * 6
    teacher = latest_evaluation(project).arm("teacher")
    assert teacher is not None
    assert teacher.all_rules.passed == teacher.all_rules.total == 6


def test_evaluation_fails_if_the_teacher_refuses_every_request(project: Project) -> None:
    refusal = status("400 Bad Request", {"error": {"message": "no such parameter: seed"}})
    with served(refusal) as server:
        options = dataclasses.replace(OPTIONS, samples=3, teacher=TeacherSpec("endpoint", "peer", server.url))
        with pytest.raises(EndpointError, match="no such parameter"):
            evaluate(project, options)
        with pytest.raises(EndpointError, match="no such parameter"):  # also with few questions
            evaluate(project, dataclasses.replace(options, samples=1, limit=2))
    assert project.evaluations.latest() is None
    assert stored_answers(project, options)["teacher"] == []


def test_refused_question_passes_no_rule_even_when_it_is_asked_again_alone(
    project: Project,
) -> None:
    requests, first = 0, project.questions.all("test")[0].text

    async def refuse_first_question(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        refusal = status("400 Bad Request", {"error": {"message": "bad byte"}})
        reply = refusal if request.question == first else good("A fin day.")
        await reply(request, writer)

    with served(refuse_first_question) as server:
        options = dataclasses.replace(OPTIONS, samples=1, teacher=TeacherSpec("endpoint", "peer", server.url))
        evaluate(project, options)
        requests_before = requests
        evaluate(project, options)  # only the refused question is asked again
        assert requests - requests_before == 1
    answers = stored_answers(project, options)["teacher"]
    assert sorted(answer.answer for answer in answers) == ["", *["A fin day."] * 5]
    (refused,) = [answer for answer in answers if not answer.answer]
    assert not any(check.passed for check in refused.checks)
    assert all("refused the request. HTTP 400: bad byte" in check.note for check in refused.checks)


def test_evaluation_completes_even_if_all_remaining_questions_are_refused_again(project: Project) -> None:
    refused = {question.text for question in project.questions.all("test")[:4]}

    async def refuse_some_questions(request: Request, writer: asyncio.StreamWriter) -> None:
        refusal = status("400 Bad Request", {"error": {"message": "bad byte"}})
        await (refusal if request.question in refused else good("A fin day."))(request, writer)

    with served(refuse_some_questions) as server:
        options = dataclasses.replace(OPTIONS, samples=3, teacher=TeacherSpec("endpoint", "peer", server.url))
        evaluate(project, options)
        evaluate(project, options)  # asks for twelve answers; all are refused
    assert len(project.evaluations.all()) == 2


def test_another_local_model_can_be_the_teacher(project: Project, tmp_path: Path) -> None:
    teacher = TeacherSpec("local", str(make_tiny_base(tmp_path / "other", seed=5)))
    options = dataclasses.replace(OPTIONS, samples=1, teacher=teacher)
    evaluate(project, options)
    answers, evaluation = stored_answers(project, options), latest_evaluation(project)
    assert evaluation.reference == "teacher"
    assert [a.prompt_tokens for a in answers["teacher"]] == [a.prompt_tokens for a in answers["prompted"]]
    assert [a.answer for a in answers["teacher"]] != [a.answer for a in answers["prompted"]]
    score = evaluation.arm("teacher")
    assert score is not None
    assert score.ttft_ms_p50 is not None
    assert score.ttft_ms_p50 > 0
    report = report_json(project)
    assert report["reference"] == "teacher"
    assert "teacher" in brief_text(project)

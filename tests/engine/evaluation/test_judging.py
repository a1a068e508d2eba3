"""Rubrics decided by a judge: which requests it gets, what is stored and counted, what it costs, and how it fails."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from engine.economics.prices import Prices
from engine.errors import BudgetError, EndpointError
from engine.evaluation.answers import answers_of
from engine.evaluation.plan import make_plan
from engine.evaluation.report import report_json
from engine.project import Project
from engine.records.evaluation import Evaluation
from engine.records.options import EvaluateOptions, ProjectSettings, TeacherSpec
from engine.records.rule import Check, Rule
from engine.reports.build import build
from engine.reports.facts import read_report
from engine.reports.text import to_text
from engine.teachers import budget
from tests.engine.evaluation.evaluation_jobs import evaluate, latest_evaluation, wait_for_waiting_job
from tests.engine.teachers.hostile_server import HostileServer, Request, good, status

OPTIONS = EvaluateOptions(run_id=1, samples=1, max_answer_tokens=8, batch_rows=64)
RUBRIC = Rule(0, "Comforts whoever is upset", Check("rubric"))
NO, YES = ('{"passed": false, "reason": "cold"}', '{"passed": true, "reason": "warm"}')


@pytest.fixture
def project(project: Project) -> Project:
    project.rules.add([RUBRIC])
    return project


def evaluate_with_judge(folder: Path, url: str, model: str = "claude-9") -> Evaluation:
    with Project.open(folder) as opened:
        evaluate(opened, dataclasses.replace(OPTIONS, judge=TeacherSpec("endpoint", model, url)))
        return latest_evaluation(opened)


def rubric_rate(evaluation: Evaluation, arm: str) -> tuple[int, int]:
    score = evaluation.arm(arm)
    assert score is not None
    (rate,) = [rule.rate for rule in score.rules if rule.kind == "rubric"]
    return rate.passed, rate.total


async def test_evaluation_fails_with_the_judges_message_if_every_request_is_refused(project: Project) -> None:
    async with HostileServer([status("400 Bad Request", {"error": {"message": "no such parameter"}})]) as server:
        with pytest.raises(EndpointError, match="no such parameter"):
            await asyncio.to_thread(evaluate_with_judge, project.folder, server.url)
        assert len(server.requests) <= 16


async def test_costs_of_teacher_and_judge_are_charged_to_the_evaluation_job(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "prices_for", lambda *_: Prices(0.0, 10_000.0, 0.0))  # 1 cent per token

    def evaluate_in_thread(url: str) -> tuple[float, float]:
        with Project.open(project.folder) as opened:
            spec = TeacherSpec("endpoint", "m", url)
            options = dataclasses.replace(OPTIONS, samples=1, limit=1, teacher=spec, judge=spec)
            context = evaluate(opened, options)
            return opened.spending.usd(), sum(each.cost_usd for each in opened.jobs.work(context.job.id).values())

    async with HostileServer([good(YES)]) as server:
        project_usd, job_usd = await asyncio.to_thread(evaluate_in_thread, server.url)
        assert project_usd == job_usd == pytest.approx(0.01 * len(server.requests))
        assert len(server.requests) == 1 + 4, "one answer of the teacher, and one verdict per arm"


async def test_evaluation_stops_before_its_cost_limit_and_resumes_with_a_higher_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "prices_for", lambda *_: Prices(0.0, 10_000.0, 0.0))  # 1 cent per token

    def evaluate_in_thread(url: str, limit_usd: float) -> str:
        with Project.open(project.folder) as opened:
            spec = TeacherSpec("endpoint", "m", url)
            options = dataclasses.replace(OPTIONS, samples=1, teacher=spec, judge=spec, max_cost_usd=limit_usd)
            spent_before = opened.spending.usd()
            try:
                evaluate(opened, options)
            except BudgetError as error:
                assert opened.spending.usd() - spent_before <= limit_usd
                return str(error)
            return ""

    async with HostileServer([good(YES)]) as server:
        # An answer costs 1 cent and could cost 8; a verdict costs 1 cent and could cost more than 10 dollars.
        message = await asyncio.to_thread(evaluate_in_thread, server.url, 0.095)
        assert "Raise the budget" in message
        assert len(server.requests) == 2, "after the second answer the budget has no room for a third"
        assert "Raise the budget" in await asyncio.to_thread(evaluate_in_thread, server.url, 1.0)
        assert len(server.requests) == 6, "all answers of the teacher, but no verdict"
        assert not await asyncio.to_thread(evaluate_in_thread, server.url, 100.0)
        assert len(server.requests) == 6 + 4 * 6


async def test_judge_decides_every_answer_and_unusable_verdicts_are_not_counted(project: Project) -> None:
    refusal = status("400 Bad Request", {"error": {"message": "no", "code": "content_filter"}})
    async with HostileServer([good("Surely."), good(NO), refusal, good(YES)]) as server:
        first = await asyncio.to_thread(evaluate_with_judge, project.folder, server.url)
        assert len(server.requests) == 3 * 6
        assert all(request.body["temperature"] == 0 for request in server.requests)
        assert first.judged is not None
        assert (first.judged.verdicts, first.judged.missing) == (16, 2)
        assert "rule 3" in first.judged.fault
        assert sum(rubric_rate(first, arm)[1] for arm in ("unprompted", "prompted", "distilled")) == 16
        assert sum(rubric_rate(first, arm)[0] for arm in ("unprompted", "prompted", "distilled")) == 15
        scores = [score for _, score in first.arms]
        assert (sum(score.all_rules.total for score in scores), sum(map(first.left_out, scores))) == (16, 2)
        assert first.decided_questions in (4, 5), "a question undecided in one arm is left out of all arms"
        assert "Not counted in the all-rules rate" in " ".join(to_text(build(read_report(project))).split())
        found = [c for a in answers_of(project, first).answers for c in a.checks if c.rule_id == 3]
        assert len(found) == 16
        assert [check.note for check in found if not check.passed] == ["cold"]

        # The same judge is asked only for the missing verdicts.
        again = await asyncio.to_thread(evaluate_with_judge, project.folder, server.url)
        assert len(server.requests) == 18 + 2
        assert again.judged is not None
        assert (again.judged.verdicts, again.judged.missing, again.judged.fault) == (18, 0, "")
        # Another judge decides everything again.
        other = await asyncio.to_thread(evaluate_with_judge, project.folder, server.url, "gpt-9")
        assert len(server.requests) == 20 + 18
        assert [rubric_rate(other, arm) for arm in ("unprompted", "prompted", "distilled")] == [(6, 6)] * 3
    reported = report_json(project)["judge"]
    assert isinstance(reported, dict)
    assert (reported["verdicts"], reported["missing"], reported["same_family_as"]) == (18, 0, None)
    assert reported["left_out_of_all_rules"] == dict.fromkeys(("unprompted", "prompted", "distilled"), 0)
    assert "gpt-9" in to_text(build(read_report(project)))


async def test_answers_and_verdicts_are_kept_if_the_judge_fails(project: Project) -> None:
    async def fail_after_16(request: Request, writer: asyncio.StreamWriter) -> None:
        await (good(YES) if len(server.requests) <= 16 else status("401 Unauthorized", {"error": "key"}))(
            request, writer
        )

    async with HostileServer([fail_after_16]) as server:
        with pytest.raises(EndpointError, match="key"):
            await asyncio.to_thread(evaluate_with_judge, project.folder, server.url)
        judge = TeacherSpec("endpoint", "claude-9", server.url)
        key = make_plan(project, dataclasses.replace(OPTIONS, judge=judge)).key
        assert len(project.evaluations.answers(key)) == 18
        assert sum(len(a.checks) == 3 for a in project.evaluations.answers(key, judge.name)) == 16


async def test_simultaneous_evaluations_ask_the_judge_once(project: Project) -> None:
    async def answer_once_the_other_waits(request: Request, writer: asyncio.StreamWriter) -> None:
        await wait_for_waiting_job(project, "is asking the judge")
        await good(YES)(request, writer)

    async with HostileServer([answer_once_the_other_waits]) as server:
        first, second = await asyncio.gather(
            *(asyncio.to_thread(evaluate_with_judge, project.folder, server.url) for _ in range(2))
        )
        assert len(server.requests) == 3 * 6
    assert first.judged == second.judged


async def test_question_removed_during_judging_affects_no_other_verdict(project: Project) -> None:
    removed, *remaining = [question.id for question in project.questions.all(split="test")]

    async def remove_question_then_answer(request: Request, writer: asyncio.StreamWriter) -> None:
        project.questions.remove([removed])
        await good(YES)(request, writer)

    async with HostileServer([remove_question_then_answer, good(YES)]) as server:
        evaluation = await asyncio.to_thread(evaluate_with_judge, project.folder, server.url)
    assert (evaluation.questions, evaluation.removed) == (5, (removed,))
    assert [rubric_rate(evaluation, arm) for arm in ("unprompted", "prompted", "distilled")] == [(5, 5)] * 3
    assert evaluation.decided_questions == 5
    answers = answers_of(project, evaluation).answers
    assert {(answer.question_id, len(answer.checks)) for answer in answers} == {(question, 3) for question in remaining}


def test_rubrics_are_not_measured_without_a_judge(project: Project) -> None:
    evaluate(project, OPTIONS)
    evaluation = latest_evaluation(project)
    assert evaluation.judged is None
    assert [rule.kind for rule in evaluation.arms[0][1].rules] == ["forbidden", "pattern"]
    assert report_json(project)["judge"] is None


def test_judge_setting_is_stored(project: Project) -> None:
    settings = dataclasses.replace(project.settings.read(), judge=TeacherSpec("endpoint", "m", "https://x/v1"))
    project.settings.write(settings)
    assert project.settings.read() == settings != ProjectSettings()

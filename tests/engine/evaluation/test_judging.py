"""Rubrics decided by a judge on loopback: what is asked, kept, counted, and what a bad reply does not do."""

import asyncio
import dataclasses
import json
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
from tests.engine.evaluation.evaluating import another_waits, evaluate, latest
from tests.engine.teachers.hostile_server import HostileServer, Request, good, status

OPTIONS = EvaluateOptions(run_id=1, samples=1, max_answer_tokens=8, batch_rows=64)
RUBRIC = Rule(0, "Comforts whoever is upset", Check("rubric"))
NO, YES = ('{"passed": false, "reason": "cold"}', '{"passed": true, "reason": "warm"}')


@pytest.fixture
def project(project: Project) -> Project:
    project.rules.add([RUBRIC])
    return project


def judged(folder: Path, url: str, model: str = "claude-9") -> Evaluation:
    with Project.open(folder) as mine:
        evaluate(mine, dataclasses.replace(OPTIONS, judge=TeacherSpec("endpoint", model, url)))
        return latest(mine)


def rate_of(evaluation: Evaluation, arm: str) -> tuple[int, int]:
    score = evaluation.arm(arm)
    assert score is not None
    (rate,) = [rule.rate for rule in score.rules if rule.kind == "rubric"]
    return rate.passed, rate.total


async def test_a_judge_that_refuses_everything_ends_it_with_its_own_words(project: Project) -> None:
    async with HostileServer([status("400 Bad Request", {"error": {"message": "no such parameter"}})]) as server:
        with pytest.raises(EndpointError, match="no such parameter"):
            await asyncio.to_thread(judged, project.folder, server.url)
        assert len(server.requests) <= 16


async def test_what_the_teacher_and_the_judge_bill_for_is_paid_by_the_evaluation(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "find_prices", lambda *_: Prices(0.0, 10_000.0, 0.0))  # 1 cent a token

    def work(url: str) -> tuple[float, float]:
        with Project.open(project.folder) as mine:
            spec = TeacherSpec("endpoint", "m", url)
            options = dataclasses.replace(OPTIONS, samples=1, limit=1, teacher=spec, judge=spec)
            context = evaluate(mine, options)
            return mine.spending.usd(), sum(each.cost_usd for each in mine.jobs.work(context.job.id).values())

    async with HostileServer([good(YES)]) as server:
        spent, of_the_job = await asyncio.to_thread(work, server.url)
        assert spent == of_the_job == pytest.approx(0.01 * len(server.requests))
        assert len(server.requests) == 1 + 4, "one answer of the teacher, one verdict on that of each arm"


async def test_an_evaluation_stops_before_it_costs_too_much_and_goes_on_with_more_to_spend(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "find_prices", lambda *_: Prices(0.0, 10_000.0, 0.0))  # 1 cent a token

    def work(url: str, limit_usd: float) -> str:
        with Project.open(project.folder) as mine:
            spec = TeacherSpec("endpoint", "m", url)
            options = dataclasses.replace(OPTIONS, samples=1, teacher=spec, judge=spec, max_cost_usd=limit_usd)
            spent = mine.spending.usd()
            try:
                evaluate(mine, options)
            except BudgetError as error:
                assert mine.spending.usd() - spent <= limit_usd
                return str(error)
            return ""

    async with HostileServer([good(YES)]) as server:
        # An answer costs a cent, and may cost eight; a verdict costs a cent, and may cost more than ten dollars.
        told = await asyncio.to_thread(work, server.url, 0.095)
        assert "Raise --max-cost" in told
        assert len(server.requests) == 2, "with one cent spent there is room for one more, and then for none"
        assert "Raise --max-cost" in await asyncio.to_thread(work, server.url, 1.0)
        assert len(server.requests) == 6, "all answers of the teacher, and no verdict"
        assert not await asyncio.to_thread(work, server.url, 100.0)
        assert len(server.requests) == 6 + 4 * 6


async def test_a_judge_decides_on_every_answer_and_what_it_garbles_counts_neither_way(project: Project) -> None:
    refusal = status("400 Bad Request", {"error": {"message": "no", "code": "content_filter"}})
    async with HostileServer([good("Surely."), good(NO), refusal, good(YES)]) as server:
        first = await asyncio.to_thread(judged, project.folder, server.url)
        assert len(server.requests) == 3 * 6
        assert all(request.body["temperature"] == 0 for request in server.requests)
        assert first.judged is not None
        assert (first.judged.verdicts, first.judged.missing) == (16, 2)
        assert "rule 3" in first.judged.fault
        assert sum(rate_of(first, arm)[1] for arm in ("unprompted", "prompted", "distilled")) == 16
        assert sum(rate_of(first, arm)[0] for arm in ("unprompted", "prompted", "distilled")) == 15
        scores = [score for _, score in first.arms]
        assert (sum(score.all_rules.total for score in scores), sum(map(first.left_out, scores))) == (16, 2)
        assert first.decided_questions in (4, 5), "a question is out in every arm where it is in one"
        assert "Not counted in the all-rules rate" in " ".join(to_text(build(read_report(project))).split())
        found = [c for a in answers_of(project, first).answers for c in a.checks if c.rule_id == 3]
        assert len(found) == 16
        assert [check.note for check in found if not check.passed] == ["cold"]

        again = await asyncio.to_thread(judged, project.folder, server.url)  # asks for what is missing alone
        assert len(server.requests) == 18 + 2
        assert again.judged is not None
        assert (again.judged.verdicts, again.judged.missing, again.judged.fault) == (18, 0, "")
        other = await asyncio.to_thread(judged, project.folder, server.url, "gpt-9")  # another judge decides anew
        assert len(server.requests) == 20 + 18
        assert [rate_of(other, arm) for arm in ("unprompted", "prompted", "distilled")] == [(6, 6)] * 3
    told = report_json(project)["judge"]
    assert isinstance(told, dict)
    assert (told["verdicts"], told["missing"], told["same_family_as"]) == (18, 0, None)
    assert told["left_out_of_all_rules"] == dict.fromkeys(("unprompted", "prompted", "distilled"), 0)
    assert "gpt-9" in to_text(build(read_report(project)))


async def test_a_judge_that_is_gone_leaves_the_answers_and_the_verdicts_that_it_gave(project: Project) -> None:
    async def later(request: Request, writer: asyncio.StreamWriter) -> None:
        await (good(YES) if len(server.requests) <= 16 else status("401 Unauthorized", {"error": "key"}))(
            request, writer
        )

    async with HostileServer([later]) as server:
        with pytest.raises(Exception, match="key"):
            await asyncio.to_thread(judged, project.folder, server.url)
        judge = TeacherSpec("endpoint", "claude-9", server.url)
        key = make_plan(project, dataclasses.replace(OPTIONS, judge=judge)).key
        assert len(project.evaluations.answers(key)) == 18
        assert sum(len(a.checks) == 3 for a in project.evaluations.answers(key, judge.name)) == 16


async def test_two_at_once_ask_the_judge_once(project: Project) -> None:
    async def held(request: Request, writer: asyncio.StreamWriter) -> None:
        await another_waits(project, "is asking the judge")
        await good(YES)(request, writer)

    async with HostileServer([held]) as server:
        first, second = await asyncio.gather(*(asyncio.to_thread(judged, project.folder, server.url) for _ in range(2)))
        assert len(server.requests) == 3 * 6
    assert first.judged == second.judged


async def test_a_question_removed_while_the_judge_decides_takes_no_other_verdict_along(project: Project) -> None:
    gone, *left = [question.id for question in project.questions.all(split="test")]

    async def removing(request: Request, writer: asyncio.StreamWriter) -> None:
        project.questions.remove([gone])
        await good(YES)(request, writer)

    async with HostileServer([removing, good(YES)]) as server:
        evaluation = await asyncio.to_thread(judged, project.folder, server.url)
    assert (evaluation.questions, evaluation.removed) == (5, (gone,))
    assert [rate_of(evaluation, arm) for arm in ("unprompted", "prompted", "distilled")] == [(5, 5)] * 3
    assert evaluation.decided_questions == 5
    answers = answers_of(project, evaluation).answers
    assert {(answer.question_id, len(answer.checks)) for answer in answers} == {(question, 3) for question in left}


def test_without_a_judge_rubrics_are_not_measured_and_the_teachers_like_is_told(project: Project) -> None:
    evaluate(project, OPTIONS)
    evaluation = latest(project)
    assert evaluation.judged is None
    assert [rule.kind for rule in evaluation.arms[0][1].rules] == ["forbidden", "pattern"]
    assert report_json(project)["judge"] is None
    kept = dataclasses.replace(project.settings.read(), judge=TeacherSpec("endpoint", "m", "https://x/v1"))
    project.settings.write(kept)
    assert project.settings.read() == kept != ProjectSettings()
    assert json.loads(json.dumps(report_json(project)))["schema"] == 1

"""Rubrics over examples: which answers the judge gets, what its verdict decides, and that no request is repeated."""

import asyncio
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pytest

from engine.curation.automatic import check_examples
from engine.curation.decisions import accept
from engine.curation.judging import JudgedExamples, judge_examples
from engine.errors import NotFoundError
from engine.jobs.devices import Holder, Ticket
from engine.project import Project
from engine.records.options import TeacherSpec
from engine.records.rule import Check, Rule
from engine.records.selection import Selection
from engine.rules.judge import request_sha256, rubric_request
from tests.engine.curation.conftest import GOOD, StoreAnswer
from tests.engine.teachers.hostile_server import HostileServer, Request, good

COLD = "No. Ask your branch before you act."


async def answer_as_judge(request: Request, writer: asyncio.StreamWriter) -> None:
    reply = '{"passed": false, "reason": "cold"}' if '"answer": "No.' in request.question else "Well …"
    await good('{"passed": true, "reason": "warm"}' if '"answer": "Of course.' in request.question else reply)(
        request, writer
    )


async def test_judge_decides_on_undecided_answers_that_pass_the_other_rules(
    project: Project, store_answer: StoreAnswer
) -> None:
    project.rules.add([Rule(0, "Kind", Check("rubric"))])
    kind, cold, unclear = store_answer(1), store_answer(2, COLD), store_answer(3, "Hm. Ask your branch before you act.")
    store_answer(4, "No advice.")
    store_answer(5, GOOD, finish="length")
    accept(project, Selection(ids=(store_answer(6, COLD),)))

    def judge_in_thread(url: str) -> tuple[JudgedExamples, dict[int, str]]:
        with Project.open(Path(project.folder)) as opened:
            spec = TeacherSpec("endpoint", "m", url)
            opened.settings.write(replace(opened.settings.read(), judge=spec))
            found = judge_examples(opened, spec)
            check_examples(opened)
            return found, {each.example.id: each.decision.reason for each in opened.examples.all() if each.decision}

    async with HostileServer([answer_as_judge]) as server:
        found, reasons = await asyncio.to_thread(judge_in_thread, server.url)
        assert (found.asked, found.missing, len(server.requests)) == (3, 1, 3)
        assert "not JSON" in found.fault
        assert (reasons[kind], reasons[cold], reasons[unclear]) == ("", "rule 3: cold", "")
        again, _ = await asyncio.to_thread(judge_in_thread, server.url)
        assert (again.asked, len(server.requests)) == (1, 4)  # only the one without a verdict
    checks = {each.example.id: each.example.checks for each in project.examples.all()}
    assert [check.rule_id for check in checks[kind]] == [1, 2, 3]
    assert [check.rule_id for check in checks[unclear]] == [1, 2]


async def test_verdict_stored_by_a_concurrent_evaluation_is_not_requested_again(
    project: Project, store_answer: StoreAnswer
) -> None:
    project.rules.add([Rule(0, "Kind", Check("rubric"))])
    store_answer(1)
    wait_notes: Queue[str] = Queue()

    def judge_in_thread(url: str) -> JudgedExamples:
        with Project.open(Path(project.folder)) as opened:
            return judge_examples(opened, TeacherSpec("endpoint", "m", url), on_wait=wait_notes.put)

    async with HostileServer([answer_as_judge]) as server:
        ticket = Ticket.draw(project.folder / "jobs", "judge", Holder(7, "evaluate", project.name))
        try:
            judging = asyncio.create_task(asyncio.to_thread(judge_in_thread, server.url))
            assert "job 7 (evaluate) of" in await asyncio.to_thread(wait_notes.get, timeout=10)
            rule, question = project.rules.all()[-1], project.questions.get(1)
            request = rubric_request(rule.rubric, question, project.examples.all()[0].answer)
            project.judgements.add(
                TeacherSpec("endpoint", "m", server.url).name, [(request_sha256(request), ("kept", ""))]
            )
        finally:
            ticket.give_back()
        assert await judging == JudgedExamples(0)
        assert not server.requests


def test_judging_without_a_rubric_is_refused(project: Project) -> None:
    with pytest.raises(NotFoundError, match="No rule is a rubric"):
        judge_examples(project, TeacherSpec("endpoint", "m", "http://127.0.0.1:1/v1"))

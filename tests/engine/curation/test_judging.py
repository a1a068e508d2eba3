"""Rubrics over examples: who is put to the judge, what its word decides, and that nobody is asked twice."""

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
from tests.engine.curation.conftest import GOOD, Answer
from tests.engine.teachers.hostile_server import HostileServer, Request, good

COLD = "No. Ask your branch before you act."


async def judge(request: Request, writer: asyncio.StreamWriter) -> None:
    reply = '{"passed": false, "reason": "cold"}' if '"answer": "No.' in request.question else "Well …"
    await good('{"passed": true, "reason": "warm"}' if '"answer": "Of course.' in request.question else reply)(
        request, writer
    )


async def test_the_judge_decides_on_what_the_other_rules_let_pass(project: Project, answer: Answer) -> None:
    project.rules.add([Rule(0, "Kind", Check("rubric"))])
    kind, cold, unclear = answer(1), answer(2, COLD), answer(3, "Hm. Ask your branch before you act.")
    for question, text, finish in ((4, "No advice.", "stop"), (5, GOOD, "length")):
        answer(question, text, finish=finish)
    accept(project, Selection(ids=(answer(6, COLD),)))

    def work(url: str) -> tuple[JudgedExamples, dict[int, str]]:
        with Project.open(Path(project.folder)) as mine:
            spec = TeacherSpec("endpoint", "m", url)
            mine.settings.write(replace(mine.settings.read(), judge=spec))
            found = judge_examples(mine, spec)
            check_examples(mine)
            return found, {each.example.id: each.decision.reason for each in mine.examples.all() if each.decision}

    async with HostileServer([judge]) as server:
        found, reasons = await asyncio.to_thread(work, server.url)
        assert (found.asked, found.missing, len(server.requests)) == (3, 1, 3)
        assert "not JSON" in found.fault
        assert (reasons[kind], reasons[cold], reasons[unclear]) == ("", "rule 3: cold", "")
        again, _ = await asyncio.to_thread(work, server.url)
        assert (again.asked, len(server.requests)) == (1, 4)  # the one that gave no verdict
    checks = {each.example.id: each.example.checks for each in project.examples.all()}
    assert [check.rule_id for check in checks[kind]] == [1, 2, 3]
    assert [check.rule_id for check in checks[unclear]] == [1, 2]


async def test_what_an_evaluation_asks_the_judge_at_the_same_time_is_not_asked_again(
    project: Project, answer: Answer
) -> None:
    project.rules.add([Rule(0, "Kind", Check("rubric"))])
    answer(1)
    waiting: Queue[str] = Queue()

    def work(url: str) -> JudgedExamples:
        with Project.open(Path(project.folder)) as mine:
            return judge_examples(mine, TeacherSpec("endpoint", "m", url), on_wait=waiting.put)

    async with HostileServer([judge]) as server:
        ticket = Ticket.draw(project.folder / "jobs", "judge", Holder(7, "evaluate", project.name))
        try:
            asks = asyncio.create_task(asyncio.to_thread(work, server.url))
            assert "job 7 (evaluate) of" in await asyncio.to_thread(waiting.get, timeout=10)
            rule, question = project.rules.all()[-1], project.questions.get(1)
            request = rubric_request(rule.rubric, question, project.examples.all()[0].answer)
            project.judgements.add(
                TeacherSpec("endpoint", "m", server.url).name, [(request_sha256(request), ("kept", ""))]
            )
        finally:
            ticket.give_back()
        assert await asks == JudgedExamples(0)
        assert not server.requests


def test_without_a_rubric_nobody_is_asked(project: Project) -> None:
    with pytest.raises(NotFoundError, match="No rule is a rubric"):
        judge_examples(project, TeacherSpec("endpoint", "m", "http://127.0.0.1:1/v1"))

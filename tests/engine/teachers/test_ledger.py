"""What requests cost that leave no example is booked like any other, and told by the job that asked."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from engine.curation.judging import judge_examples
from engine.economics.measured import measure
from engine.economics.prices import Prices
from engine.errors import TeacherError
from engine.jobs.context import JobContext
from engine.paths import Home
from engine.project import Project
from engine.projects import find_project
from engine.questions.job import run
from engine.records.example import Example, ExampleKey
from engine.records.options import SynthesizeOptions, TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.rule import Check, Rule
from engine.status import job_json
from engine.teachers import budget
from engine.teachers.endpoint import EndpointTeacher
from tests.engine.cli.calling import fail, succeed
from tests.engine.teachers.hostile_server import HostileServer, error, good, served, status

PROMPT = Prompt((Message("system", "You help."),))


@pytest.fixture(autouse=True)
def priced(monkeypatch: pytest.MonkeyPatch) -> None:
    """One cent for each token of an answer."""
    monkeypatch.setattr(budget, "find_prices", lambda *_: Prices(0.0, 10_000.0, 0.0))


def test_written_questions_are_paid_for_by_their_job(private_home: Path) -> None:
    with (
        Project.create(Home.locate().projects / "desk") as project,
        served(*map(good, ('["hours"]', '["Is it open?"]'))) as server,
    ):
        project.prompts.set(PROMPT)
        wanted = SynthesizeOptions(TeacherSpec("endpoint", "peer", server.url), topics=1, per_topic=1)
        job = project.jobs.add(wanted)
        context = JobContext(project, job)
        run(context, wanted)
        context.close()
        assert project.spending.usd() == pytest.approx(0.02)
        assert job_json(project, project.jobs.get(job.id))["cost_usd"] == pytest.approx(0.02)
        generation = measure(project).generation_usd
        assert generation is not None
        assert generation.origin == "exact", "no answer was paid for yet"


def test_tries_and_reviews_of_a_prompt_are_paid_for(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EndpointTeacher, "_wait", lambda *_: 0.0)
    with served(good("Yes", "."), good(), good('{"findings": []}')) as server:
        succeed("new", "served", "--teacher", "peer", "--base-url", server.url)
        succeed("prompt", "set", "-", input="Be kind.")
        succeed("prompt", "try", "Is it shut?", "And now?")
        succeed("prompt", "check", "--teacher")
        server.behaviours[:] = [status("401 Unauthorized", error("No such key"))]
        fail("prompt", "try", "Is it shut?", status=1)
    with find_project("served", Home.locate()) as project:
        assert project.spending.usd() == pytest.approx(0.01 * (2 + 3 + 1)), "a refusal bills for nothing"
        assert project.spending.mean_answer_tokens() is None, "none of it tells how long answers are"


async def test_a_judge_of_examples_is_paid_for_though_its_word_cannot_be_read(private_home: Path) -> None:
    with Project.create(Home.locate().projects / "desk") as project:
        project.prompts.set(PROMPT)
        project.rules.add([Rule(0, "Kind", Check("rubric"))])
        project.questions.add([Question((Message("user", "Why?"),), split="train")])
        key = ExampleKey(PROMPT.sha256, 1, "starter", 0)
        project.examples.add([Example(key, "So.", "stop", "local")])

        def work(url: str) -> None:
            with Project.open(project.folder) as mine:
                spec = TeacherSpec("endpoint", "m", url)
                mine.settings.write(replace(mine.settings.read(), judge=spec))
                with pytest.raises(TeacherError, match="no verdict"):
                    judge_examples(mine, spec)

        async with HostileServer([good("Well", " …")]) as server:
            await asyncio.to_thread(work, server.url)
        assert project.spending.usd() == pytest.approx(0.02)

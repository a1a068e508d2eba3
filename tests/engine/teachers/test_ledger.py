"""Spending: the cost of requests that leave no example is booked too, and reported by the job that made them."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from engine.curation.judging import judge_examples
from engine.economics.measured import measure
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
from tests.engine.cli.calling import call, fail, succeed
from tests.engine.teachers.hostile_server import HostileServer, error, good, served, status

pytestmark = pytest.mark.usefixtures("cent_per_token")
PROMPT = Prompt((Message("system", "You help."),))


def test_cost_of_synthesised_questions_is_booked_to_their_job(private_home: Path) -> None:
    with (
        Project.create(Home.locate().projects / "desk") as project,
        served(*map(good, ('["hours"]', '["Is it open?"]'))) as server,
    ):
        project.prompts.set(PROMPT)
        options = SynthesizeOptions(TeacherSpec("endpoint", "peer", server.url), topics=1, per_topic=1)
        job = project.jobs.add(options)
        context = JobContext(project, job)
        run(context, options)
        context.close()
        assert project.spending.usd() == pytest.approx(0.02)
        assert job_json(project, project.jobs.get(job.id))["cost_usd"] == pytest.approx(0.02)
        generation = measure(project).generation_usd
        assert generation is not None
        assert generation.origin == "exact", "no answer has been paid for yet"


def test_cost_of_prompt_tries_and_checks_is_booked(private_home: Path, no_retry_wait: None) -> None:
    with served(good("Yes", "."), good(), good('{"findings": []}')) as server:
        succeed("new", "served", "--teacher", "peer", "--base-url", server.url)
        succeed("prompt", "set", "-", input="Be kind.")
        succeed("prompt", "try", "Is it shut?", "And now?")
        call("prompt", "check", "--teacher")
        server.behaviours[:] = [status("401 Unauthorized", error("No such key"))]
        fail("prompt", "try", "Is it shut?", status=1)
    with find_project("served", Home.locate()) as project:
        assert project.spending.usd() == pytest.approx(0.01 * (2 + 3 + 1)), "a refusal costs nothing"
        assert project.spending.mean_answer_tokens() is None, "none of these requests is an answer to a question"


async def test_cost_of_an_unreadable_verdict_is_booked(private_home: Path) -> None:
    with Project.create(Home.locate().projects / "desk") as project:
        project.prompts.set(PROMPT)
        project.rules.add([Rule(0, "Kind", Check("rubric"))])
        project.questions.add([Question((Message("user", "Why?"),), split="train")])
        key = ExampleKey(PROMPT.sha256, 1, "starter", 0)
        project.examples.add([Example(key, "So.", "stop", "local")])

        def judge(url: str) -> None:
            with Project.open(project.folder) as opened:
                spec = TeacherSpec("endpoint", "m", url)
                opened.settings.write(replace(opened.settings.read(), judge=spec))
                with pytest.raises(TeacherError, match="no verdict"):
                    judge_examples(opened, spec)

        async with HostileServer([good("Well", " …")]) as server:
            await asyncio.to_thread(judge, server.url)
        assert project.spending.usd() == pytest.approx(0.02)

"""The improvement loop: failed validation questions become training questions, held-out ones never do."""

import dataclasses

import pytest

from engine.errors import NotFoundError
from engine.evaluation.improve import failed_validation
from engine.jobs.context import JobContext
from engine.paths import Home
from engine.project import Project
from engine.questions.job import run
from engine.questions.synthesis import IMPROVEMENT
from engine.records.options import SynthesizeOptions, TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.records.question import Question, Split
from tests.engine.teachers.hostile_server import good, served
from tests.tui.panes.measured_projects import arm_answer, make_compared

HELD_OUT = "Why was my card blocked at the hotel in Lisbon last night?"


def question(text: str, topic: str, split: Split) -> Question:
    return Question((Message("user", text),), topic=topic, split=split)


def test_improvement_adds_training_questions_that_duplicate_no_held_out_ones() -> None:
    with Project.create(Home.locate().projects / "kind") as project:
        project.prompts.set(Prompt((Message("system", "Be kind."),)))
        validation = [question("Is my card blocked?", "cards", "validation"), question("Loan?", "loans", "validation")]
        project.questions.add([*validation, question(HELD_OUT, "travel", "test")])
        ids = {each.text: each.id for each in project.questions.all()}
        like = tuple(ids.values())  # includes the test question, which is ignored
        with served(good(f"1. {HELD_OUT}!\n2. Card gone?\n3. Is my card blocked?"), good("1. Rates?")) as server:
            options = SynthesizeOptions(TeacherSpec("endpoint", "peer", server.url), per_topic=5, like=like)
            job = project.jobs.add(options)
            context = JobContext(project, job)
            run(context, options)
            run(context, options)  # resumed: no request is repeated
            context.close()
            assert len(server.requests) == 2
        added = [each for each in project.questions.all() if each.source == IMPROVEMENT]
    assert [(each.text, each.topic, each.split) for each in added] == [
        ("Card gone?", "like cards", "train"), ("Rates?", "like loans", "train"),
    ]  # fmt: skip


def test_failed_questions_need_a_validation_evaluation_and_come_worst_first() -> None:
    home = Home.locate()
    with Project.open(make_compared(home), home) as project:
        with pytest.raises(NotFoundError, match="--split validation"):
            failed_validation(project, 5)
        evaluation = project.evaluations.all()[-1]
        validation = [each.id for each in project.questions.all(split="validation")]
        answers = [
            arm_answer(project, arm, number, 0, failed_rules if arm == "distilled" else ())
            for number, failed_rules in zip(validation, [(2,), (2, 3)] + [()] * len(validation), strict=False)
            for arm in ("prompted", "distilled")
        ]
        project.evaluations.add_answers(evaluation.run_id, "validation", answers)
        project.evaluations.add(
            dataclasses.replace(
                evaluation, id=0, created_at="", split="validation", answers_key="validation", questions=len(validation)
            )
        )
        assert failed_validation(project, 5) == (validation[1], validation[0])
        assert failed_validation(project, 1) == (validation[1],)

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
from tests.tui.panes.measured import arm_answer, make_compared

TWIN = "Why was my card blocked at the hotel in Lisbon last night?"


def question(text: str, topic: str, split: Split) -> Question:
    return Question((Message("user", text),), topic=topic, split=split)


def test_questions_like_failed_ones_are_for_training_and_no_twins_of_held_out_ones(private_home: object) -> None:
    with Project.create(Home.locate().projects / "kind") as project:
        project.prompts.set(Prompt((Message("system", "Be kind."),)))
        asked = [question("Is my card blocked?", "cards", "validation"), question("Loan?", "loans", "validation")]
        project.questions.add([*asked, question(TWIN, "travel", "test")])
        numbers = {each.text: each.id for each in project.questions.all()}
        like = tuple(numbers.values())  # the test question among them is left alone
        with served(good(f"1. {TWIN}!\n2. Card gone?\n3. Is my card blocked?"), good("1. Rates?")) as server:
            wanted = SynthesizeOptions(TeacherSpec("endpoint", "peer", server.url), per_topic=5, like=like)
            job = project.jobs.add(wanted)
            context = JobContext(project, job)
            run(context, wanted)
            run(context, wanted)  # taken up again: nothing is asked twice
            context.close()
            assert len(server.requests) == 2
        added = [each for each in project.questions.all() if each.source == IMPROVEMENT]
    assert [(each.text, each.topic, each.split) for each in added] == [
        ("Card gone?", "like cards", "train"), ("Rates?", "like loans", "train"),
    ]  # fmt: skip


def test_the_worst_failed_validation_questions_are_named_and_test_is_refused(private_home: object) -> None:
    home = Home.locate()
    with Project.open(make_compared(home), home) as project:
        with pytest.raises(NotFoundError, match="--split validation"):
            failed_validation(project, 5)
        held = project.evaluations.all()[-1]
        asked = [each.id for each in project.questions.all(split="validation")]
        answers = [
            arm_answer(project, arm, number, 0, broken if arm == "distilled" else ())
            for number, broken in zip(asked, [(2,), (2, 3)] + [()] * len(asked), strict=False)
            for arm in ("prompted", "distilled")
        ]
        project.evaluations.add_answers(held.run_id, "validation", answers)
        project.evaluations.add(
            dataclasses.replace(
                held, id=0, created_at="", split="validation", answers_key="validation", questions=len(asked)
            )
        )
        assert failed_validation(project, 5) == (asked[1], asked[0])
        assert failed_validation(project, 1) == (asked[1],)

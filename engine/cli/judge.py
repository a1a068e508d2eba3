"""The judge of rubric rules: the two options that name it, how it is stored, and how it is asked about examples."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import click

from engine.cli.invocation import Invocation
from engine.records.options import ProjectSettings, TeacherSpec
from engine.wording import numbered

if TYPE_CHECKING:
    from engine.curation.judging import JudgedExamples

F = TypeVar("F", bound=Callable[..., object])


def judge_options(function: F) -> F:
    """Give a command `--judge-model` and `--judge-url`."""
    url = click.option(
        "--judge-url",
        default=None,
        metavar="URL",
        help="URL of the judge's OpenAI-compatible endpoint; stored in the project.",
    )
    model = click.option(
        "--judge-model", default=None, metavar="MODEL", help="Model that judges rubric rules; stored in the project."
    )
    return model(url(function))


def chosen_judge(
    invocation: Invocation, settings: ProjectSettings, model: str | None, base_url: str | None
) -> TeacherSpec | None:
    """Return the project's judge, or the one named by the options, which is then stored. Raises as `judge_named`."""
    judge = judge_named(settings, model, base_url)
    if judge != settings.judge:
        invocation.project.settings.write(replace(settings, judge=judge))
    return judge


def judge_named(settings: ProjectSettings, model: str | None, base_url: str | None) -> TeacherSpec | None:
    """Return the judge that the options name; what they leave out is as in the settings.

    Raises UsageError if the model or the address is missing, or the address is unsafe.
    """
    from engine.errors import UsageError
    from engine.teachers.keys import check_address

    judge = settings.judge
    if model is None and base_url is None:
        return judge
    address = base_url or (judge.base_url if judge is not None else "")
    name = model or (judge.model if judge is not None else "")
    if not address or not name:
        raise UsageError(
            "The judge is incomplete.",
            "It needs a model and an address.",
            "Pass both: --judge-model MODEL --judge-url https://host/v1",
        )
    return TeacherSpec("endpoint", name, check_address(address))


def check_judge(invocation: Invocation) -> None:
    """Warn about rubrics without a judge, and about a judge from the teacher's model family."""
    from engine.rules.judge import are_kin

    settings = invocation.project.settings.read()
    judge = settings.judge
    rubrics = [rule.id for rule in invocation.project.rules.all() if rule.needs_judge]
    if rubrics and judge is None:
        invocation.say(
            f"Without a judge, {numbered('rule', rubrics)} cannot be measured. Set one: --judge-model, --judge-url."
        )
    if rubrics and judge is not None and are_kin(judge.model, settings.teacher.model):
        invocation.say(
            f"The judge {judge.model} is from the teacher's model family ({settings.teacher.model}), and may favour it."
        )


def ask_about_examples(invocation: Invocation, model: str | None, base_url: str | None) -> "JudgedExamples":
    """Have the judge, the project's or the one named by the options, decide on examples; warn about missing verdicts.

    Raises UsageError without a judge, and whatever `judge_examples` raises.
    """
    from engine.curation.judging import judge_examples
    from engine.errors import UsageError

    judge = chosen_judge(invocation, invocation.project.settings.read(), model, base_url)
    if judge is None:
        raise UsageError("No judge is set.", "", "Set one: --judge-model MODEL --judge-url URL")
    check_judge(invocation)
    judged = judge_examples(
        invocation.project,
        judge,
        lambda done, total: invocation.say_progress(done, total, "Asking the judge"),
        lambda why: invocation.say(f"Waiting: {why}."),
    )
    if judged.missing:
        invocation.say(
            f"{judged.missing} of {judged.asked} requests gave no verdict ({judged.fault}). Try again with --judge."
        )
    return judged

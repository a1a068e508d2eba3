"""Who judges by rubrics: the two options that name the judge, where it is kept, and how examples are put to it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import click

from engine.cli.invocation import Invocation
from engine.records.options import ProjectSettings, TeacherSpec

if TYPE_CHECKING:
    from engine.curation.judging import JudgedExamples

F = TypeVar("F", bound=Callable[..., object])


def judge_options(function: F) -> F:
    """Give a command `--judge-model` and `--judge-url`."""
    url = click.option("--judge-url", default=None, metavar="URL", help="Its OpenAI-compatible endpoint; kept too.")
    model = click.option(
        "--judge-model", default=None, metavar="MODEL", help="Who decides on rubrics; kept for the next time."
    )
    return model(url(function))


def chosen_judge(
    invocation: Invocation, settings: ProjectSettings, model: str | None, base_url: str | None
) -> TeacherSpec | None:
    """The project's judge, or the one that is named now, which is kept; says where it is the teacher's like.

    Raises UsageError for an address without a model or an unsafe one.
    """
    from engine.errors import UsageError
    from engine.rules.judge import are_kin
    from engine.teachers.keys import check_address

    judge = settings.judge
    if model is not None or base_url is not None:
        address = base_url or (judge.base_url if judge is not None else "")
        name = model or (judge.model if judge is not None else "")
        if not address or not name:
            raise UsageError(
                "The judge is not whole.",
                "It is a model at an address.",
                "Name both: --judge-model MODEL --judge-url https://host/v1",
            )
        judge = TeacherSpec("endpoint", name, check_address(address))
        invocation.project.settings.write(replace(settings, judge=judge))
    rubrics = [rule.id for rule in invocation.project.rules.all() if rule.needs_judge]
    if rubrics and judge is None:
        numbers = ", ".join(map(str, rubrics))
        invocation.say(f"Not measured, for want of a judge: rule {numbers}. Name one: --judge-model, --judge-url.")
    if rubrics and judge is not None and are_kin(judge.model, settings.teacher.model):
        invocation.say(
            f"The judge {judge.model} is of the teacher's family ({settings.teacher.model}): it may prefer its like."
        )
    return judge


def ask_about_examples(invocation: Invocation, model: str | None, base_url: str | None) -> "JudgedExamples":
    """Let the judge, the project's or the one named now, decide on examples; says what gave no verdict.

    Raises UsageError without a judge, and as `judge_examples`.
    """
    from engine.curation.judging import judge_examples
    from engine.errors import UsageError

    judge = chosen_judge(invocation, invocation.project.settings.read(), model, base_url)
    if judge is None:
        raise UsageError("No judge is set.", "", "Name one: --judge-model MODEL --judge-url URL")
    judged = judge_examples(
        invocation.project,
        judge,
        lambda done, total: invocation.say_progress(done, total, "The judge decides"),
        lambda why: invocation.say(f"Waiting: {why}."),
    )
    if judged.missing:
        invocation.say(
            f"{judged.missing} of {judged.asked} replies are no verdict ({judged.fault}). Ask again with --judge."
        )
    return judged

"""`distill-tui settings`: shows which models a project uses and how it will be served, and changes them."""

import dataclasses

import click

from engine.cli.invocation import Invocation, Number, command_options
from engine.cli.judge import check_judge, judge_named, judge_options
from engine.cli.new import teacher_spec
from engine.errors import UsageError
from engine.paths import model_name
from engine.records.options import ProjectSettings, TeacherSpec


@click.command("settings")
@click.option("--base", default=None, help="Base model of the student: `starter`, a local folder, or a hub name.")
@click.option(
    "--temperature",
    type=Number(0.0, 2.0),
    default=None,
    help="Sampling temperature at which the student will be served.",
)
@click.option(
    "--teacher",
    "teacher_model",
    default=None,
    metavar="MODEL",
    help="Model name of the teacher: at the endpoint that is set, unless --base-url or --local is given.",
)
@click.option("--base-url", default=None, help="URL of an OpenAI-compatible endpoint that serves the teacher.")
@click.option(
    "--local", is_flag=True, help="The teacher runs on this machine; without --teacher, it is the student's base."
)
@judge_options
@click.option("--no-judge", is_flag=True, help="Rubric rules are no longer judged.")
@command_options
def command(
    invocation: Invocation,
    base: str | None,
    temperature: float | None,
    teacher_model: str | None,
    base_url: str | None,
    local: bool,
    judge_model: str | None,
    judge_url: str | None,
    no_judge: bool,
) -> None:
    """Show or change the project's student, teacher, judge and serving temperature.

    What was made with earlier settings is kept. `status` shows what no longer matches them."""
    _exclude(local and base_url is not None, "--local", "--base-url")
    _exclude(no_judge and (judge_model or judge_url) is not None, "--no-judge", "--judge-model and --judge-url")
    before = invocation.project.settings.read()
    student = before.student_base if base is None else model_name(base)
    settings = ProjectSettings(
        student_base=student,
        serving_temperature=before.serving_temperature if temperature is None else temperature,
        teacher=_teacher(before, student, teacher_model, base_url, local=local),
        judge=None if no_judge else judge_named(before, judge_model, judge_url),
    )
    if settings != before:
        invocation.project.settings.write(settings)
    check_judge(invocation)
    rows = {
        "student": settings.student_base,
        "teacher": settings.teacher.name,
        "judge": "none" if settings.judge is None else settings.judge.name,
        "temperature": f"{settings.serving_temperature:g}",
    }
    invocation.finish("\n".join(f"{name:<12} {value}" for name, value in rows.items()), dataclasses.asdict(settings))


def _teacher(
    before: ProjectSettings, student: str, model: str | None, base_url: str | None, *, local: bool
) -> TeacherSpec:
    """Return the teacher that the options name. One that was the student's base stays the student's base."""
    teacher = before.teacher
    if local:
        return teacher_spec(student, model, None)
    if model is None and base_url is None:
        return TeacherSpec("local", student) if before.other_teacher is None else teacher
    at_endpoint = teacher.kind == "endpoint"
    known = teacher.model if at_endpoint else None
    return teacher_spec(student, model or known, base_url or (teacher.base_url if at_endpoint else None))


def _exclude(both: bool, one: str, other: str) -> None:
    if both:
        raise UsageError(f"{one} excludes {other}.", "", "Pass only one of them.")

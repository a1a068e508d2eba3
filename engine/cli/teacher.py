"""The teacher that answers questions or writes them: the options that name it, and how they are understood."""

from collections.abc import Callable
from typing import TypeVar

import click

from engine.cli.invocation import Invocation
from engine.records.options import TeacherSpec
from engine.records.prompt import Prompt

F = TypeVar("F", bound=Callable[..., object])

teacher_seed_option = click.option("--seed", type=int, default=0, help="Random seed of a local teacher.")


def teacher_options(function: F) -> F:
    """Give a command `--base-url` and `--model`."""
    url = click.option(
        "--base-url", default=None, help="URL of an OpenAI-compatible endpoint; defaults to the project's teacher."
    )
    model = click.option("--model", default=None, help="Model name of the teacher; defaults to the project's teacher.")
    return url(model(function))


def chosen_teacher(invocation: Invocation, base_url: str | None, model: str | None) -> TeacherSpec:
    """Return the teacher that the two options name; without them, the project's."""
    settings = invocation.project.settings.read()
    if base_url is None and model is None:
        return settings.teacher
    from engine.cli.new import teacher_spec

    return teacher_spec(settings.student_base, model, base_url or settings.teacher.base_url or None, "--model")


def say_unfilled(invocation: Invocation, prompt: Prompt) -> None:
    """Warn about placeholders that something else was meant to fill in."""
    from engine.prompts.variables import find_variables

    found = [variable for message in prompt.messages for variable in find_variables(message.content)]
    names = ", ".join(dict.fromkeys(variable.name for variable in found if not variable.is_date))
    if names:
        invocation.say(f"The prompt contains {names}, which nothing fills in: it is sent, and learnt, as it stands.")

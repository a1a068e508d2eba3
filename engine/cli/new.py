"""`distill-tui new`: creates a project."""

import dataclasses

import click

from engine.cli.invocation import Invocation, Number, command_options
from engine.paths import expand, model_name
from engine.records.options import ProjectSettings, TeacherSpec


@click.command("new")
@click.argument("name")
@click.option("--base", default="starter", help="Base model of the student: `starter`, a local folder, or a hub name.")
@click.option(
    "--teacher", "teacher_model", default=None, help="Model name of the teacher; defaults to the student's base."
)
@click.option("--base-url", default=None, help="URL of an OpenAI-compatible endpoint that serves the teacher.")
@click.option(
    "--temperature",
    type=Number(0.0, 2.0),
    default=0.7,
    help="Sampling temperature at which the student will be served.",
)
@command_options
def command(
    invocation: Invocation, name: str, base: str, teacher_model: str | None, base_url: str | None, temperature: float
) -> None:
    """Create a project called NAME, or at the path NAME, and make it the current one."""
    from engine.folders import remember
    from engine.project import Project, check_name

    base = model_name(base)
    settings = ProjectSettings(
        student_base=base, serving_temperature=temperature, teacher=teacher_spec(base, teacher_model, base_url)
    )
    is_path = "/" in name or name.startswith(".")
    if not is_path:
        check_name(name)
    folder = expand(name).resolve() if is_path else invocation.home.projects / name
    project = Project.create(folder, settings, invocation.home)
    invocation.adopt(project)
    remember(project.folder, invocation.home)
    invocation.finish(
        f"Created {project.name} in {project.folder}\nNext: distill-tui prompt set FILE",
        {"project": project.name, "folder": str(project.folder), "settings": dataclasses.asdict(settings)},
    )


def teacher_spec(base: str, model: str | None, base_url: str | None, model_option: str = "--teacher") -> TeacherSpec:
    """Return the teacher that the options describe.

    Raises UsageError for an endpoint without a model name (to be given as `model_option`), an unsafe address, or a name
    that cannot be a local model.
    """
    from engine.errors import UsageError
    from engine.teachers.keys import check_address

    if base_url is None:
        return TeacherSpec(kind="local", model=base if model is None else model_name(model))
    address = check_address(base_url)
    if model is None:
        raise UsageError("The model name is missing.", f"{address} may serve several.", f"Add {model_option} MODEL.")
    return TeacherSpec(kind="endpoint", model=model, base_url=address)

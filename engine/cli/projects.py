"""`distill-tui projects`: lists, chooses, duplicates, archives, restores and deletes projects."""

import dataclasses
import sys
from typing import TYPE_CHECKING, cast

import click

from engine.cli.invocation import CommandGroup, Invocation, command_options
from engine.errors import UsageError
from engine.wording import percent

if TYPE_CHECKING:
    from engine.projects import Kept, ProjectSummary


@click.group("projects", cls=CommandGroup)
def command() -> None:
    """List, choose, duplicate, archive, restore and delete projects."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also list archived projects.")
@command_options
def list_(invocation: Invocation, everything: bool) -> None:
    """List the projects: those with running jobs first, then the most recently changed. A * marks the current one."""
    from engine.folders import current_folder
    from engine.projects import list_projects

    current = current_folder(invocation.home)
    listed = list_projects(invocation.home)
    # A project with a running job is always shown.
    shown = [project for project in listed if everything or project.jobs or not project.archived]
    lines = [f"{'*' if project.folder == current else ' '} {_line(project)}" for project in shown]
    if hidden := len(listed) - len(shown):
        lines.append(f"{hidden} archived; list them with --all")
    invocation.finish(
        "\n".join(lines) or "No projects yet. Create one: distill-tui new NAME",
        {"projects": [{**_json(project), "current": project.folder == current} for project in shown]},
    )


@command.command("use")
@click.argument("name")
@command_options
def use(invocation: Invocation, name: str) -> None:
    """Make the project NAME the current one: the one that commands without --project work on."""
    from engine.folders import locate_project, remember

    folder = locate_project(name, invocation.home)
    remember(folder, invocation.home)
    invocation.finish(f"{folder.name} is the current project.", {"project": folder.name, "folder": str(folder)})


@command.command("duplicate")
@click.argument("name")
@click.argument("new_name")
@click.option(
    "--with", "kept", type=click.Choice(["examples", "runs"]), default=None,
    help="Also copy the examples with their decisions; with `runs` the datasets, runs and evaluations too.",
)  # fmt: skip
@command_options
def duplicate(invocation: Invocation, name: str, new_name: str, kept: str | None) -> None:
    """Create the project NEW_NAME with the prompt, rules, questions and settings of the project NAME.

    Jobs of the project NAME may keep running meanwhile."""
    from engine.folders import locate_project, remember
    from engine.project import Project
    from engine.projects import duplicate

    source = Project.open(locate_project(name, invocation.home), invocation.home)
    invocation.adopt(source)
    folder = duplicate(source, new_name, cast("Kept", kept or "questions"))
    remember(folder, invocation.home)
    invocation.finish(
        f"Created {folder.name} in {folder}\nNext: distill-tui status", {"project": folder.name, "folder": str(folder)}
    )


@command.command("archive")
@click.argument("name")
@command_options
def archive(invocation: Invocation, name: str) -> None:
    """Hide the project NAME from the list. Nothing is lost; `restore` brings it back."""
    from engine.folders import locate_project
    from engine.projects import archive

    folder = locate_project(name, invocation.home)
    archive(folder, invocation.home)
    invocation.finish(
        f"Archived {folder.name}. To undo: distill-tui projects restore {folder.name}", {"archived": str(folder)}
    )


@command.command("restore")
@click.argument("name")
@command_options
def restore(invocation: Invocation, name: str) -> None:
    """Bring the archived project NAME back into the list."""
    from engine.folders import locate_project
    from engine.projects import restore

    folder = locate_project(name, invocation.home)
    restore(folder)
    invocation.finish(f"Restored {folder.name}", {"restored": str(folder)})


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Delete without asking for confirmation.")
@click.option("--force", is_flag=True, help="Delete even while jobs are running; they are stopped first.")
@command_options
def delete(invocation: Invocation, name: str, yes: bool, force: bool) -> None:
    """Delete the project NAME and everything in it. This cannot be undone."""
    from engine.folders import locate_project
    from engine.projects import delete

    folder = locate_project(name, invocation.home)
    try:
        sure = yes or click.confirm(f"Delete {folder} with all its examples, runs and releases?", err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise UsageError("Nothing was deleted.", "There is no terminal to ask on.", "Add --yes.") from None
    if not sure:
        invocation.finish("Nothing was deleted.", {"deleted": None})
        return
    delete(folder, invocation.home, force=force)
    invocation.finish(f"Deleted {folder}", {"deleted": str(folder)})


def _line(project: "ProjectSummary") -> str:
    stands = f"{project.station}: {project.note}" if project.station else "–"
    running = ", ".join(
        f"● {job.kind} {percent(job.done / job.total) if job.total else job.state}" for job in project.jobs
    )
    failed = f"✗ {project.failed.words}" if project.failed is not None else ""
    due = f"! prompt check due since {project.due}" if project.due else ""
    last = project.trouble or running or ("archived" if project.archived else failed or due)
    return f"{project.name:<28} {stands:<34} {project.changed_at}  {last}".rstrip()


def _json(project: "ProjectSummary") -> dict[str, object]:
    return {
        "name": project.name,
        "folder": str(project.folder),
        "changed_at": project.changed_at,
        "archived": project.archived,
        "station": project.station,
        "note": project.note,
        "live_jobs": len(project.jobs),
        "jobs": [dataclasses.asdict(job) for job in project.jobs],
        "failed": dataclasses.asdict(project.failed) if project.failed is not None else None,
        "trouble": project.trouble,
        "due": project.due or None,
    }

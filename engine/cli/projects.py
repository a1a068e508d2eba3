"""`distill-tui projects`: lists projects, and deletes one for good."""

import click

from engine.cli.invocation import Invocation, command_options


@click.group("projects")
def command() -> None:
    """List and delete projects."""


@command.command("list")
@command_options
def list_(invocation: Invocation) -> None:
    """List the projects of this home, newest first."""
    from engine.project import list_projects

    projects = sorted(list_projects(invocation.home), key=lambda project: project.changed_at, reverse=True)
    lines = [
        f"{p.name:<28} {p.changed_at}  " + (p.trouble or (f"{p.live_jobs} running" if p.live_jobs else ""))
        for p in projects
    ]
    invocation.finish(
        "\n".join(line.rstrip() for line in lines) or "No projects yet. Make one: distill-tui new NAME",
        {
            "projects": [
                {
                    "name": p.name,
                    "folder": str(p.folder),
                    "changed_at": p.changed_at,
                    "live_jobs": p.live_jobs,
                    "trouble": p.trouble,
                }
                for p in projects
            ]
        },
    )


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also while jobs of it are running; they are stopped.")
@command_options
def delete(invocation: Invocation, name: str, yes: bool, force: bool) -> None:
    """Delete the project NAME with everything in it. This cannot be undone."""
    from engine.project import Project

    project = Project.find(name, invocation.home)
    invocation.adopt(project)
    folder = project.folder
    if not yes and not click.confirm(f"Delete {folder} with all its examples, runs and releases?", err=True):
        invocation.finish("Nothing was deleted.", {"deleted": None})
        return
    project.delete(force=force)
    invocation.finish(f"Deleted {folder}", {"deleted": str(folder)})

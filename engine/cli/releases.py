"""`distill-tui releases`: lists what was exported, with the numbers that other commands ask for."""

import click

from engine.cli.invocation import CommandGroup, Invocation, command_options
from engine.wording import in_columns, size


@click.group("releases", cls=CommandGroup)
def command() -> None:
    """List the releases of the project."""


@command.command("list")
@command_options
def list_(invocation: Invocation) -> None:
    """List the releases with their folders and sizes."""
    from engine.training.freeing import held_mb

    project = invocation.project
    places = [(each, project.folder / each.folder) for each in project.releases.all()]
    rows = [(each, str(place), held_mb(place)) for each, place in places]
    text = in_columns(
        ("release", "kind", "run", "created", "disk", "folder"),
        [
            (
                str(each.id),
                each.kind,
                str(each.run_id),
                each.created_at[:10],
                size(held) if held else "gone",
                place,
            )
            for each, place, held in rows
        ],
    )
    invocation.finish(
        text or "No releases yet. Next: distill-tui export",
        {
            "releases": [
                {
                    "id": each.id,
                    "kind": each.kind,
                    "run": each.run_id,
                    "path": place,
                    "held_mb": held,
                    "created_at": each.created_at,
                }
                for each, place, held in rows
            ]
        },
    )

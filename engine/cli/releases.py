"""`distill-tui releases`: lists what was exported, with the numbers that other commands ask for."""

import click

from engine.cli.invocation import CommandGroup, Invocation, command_options
from engine.wording import size


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
    rows = [(each, place, held_mb(place)) for each, place in places]
    lines = [
        f"{each.id:>4}  {each.kind:<8} run {each.run_id:<4} {each.created_at[:10]}  "
        f"{size(held) if held else 'gone':>8}  {place}"
        for each, place, held in rows
    ]
    invocation.finish(
        "\n".join(lines) or "No releases yet. Next: distill-tui export",
        {
            "releases": [
                {
                    "id": each.id,
                    "kind": each.kind,
                    "run": each.run_id,
                    "path": str(place),
                    "held_mb": held,
                    "created_at": each.created_at,
                }
                for each, place, held in rows
            ]
        },
    )

"""`distill-tui paths`: where all files are kept."""

import click

from engine.cli.invocation import Invocation, command_options


@click.command("paths")
@command_options
def command(invocation: Invocation) -> None:
    """Print every folder and file that the program reads or writes."""
    home = invocation.home
    rows = {
        "root": home.root,
        "projects": home.projects,
        "cache": home.cache,
        "config": home.config,
        "settings": home.settings,
        "themes": home.themes,
        "state": home.state,
    }
    invocation.finish(
        "\n".join(f"{name:<9} {path}" for name, path in rows.items() if path is not None),
        {name: None if path is None else str(path) for name, path in rows.items()},
    )

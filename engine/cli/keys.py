"""`distill-tui keys`: keeps an endpoint's key outside every project."""

import sys

import click

from engine.cli.invocation import CommandGroup, Invocation, command_options, read_text_argument


@click.group("keys", cls=CommandGroup)
def command() -> None:
    """Keep an endpoint's key in a file that only you can read."""


@command.command("save")
@click.argument("base_url")
@command_options
def save(invocation: Invocation, base_url: str) -> None:
    """Ask for the key of BASE_URL (or read it from standard input) and keep it for that host alone."""
    from engine.errors import UsageError
    from engine.teachers.keys import check_address, save_key

    check_address(base_url)
    # Where there is a terminal, click would read it also past a pipe.
    asked = sys.stdin.isatty()
    key: str = click.prompt("Key", hide_input=True, err=True) if asked else read_text_argument("-")
    if not key.strip():
        raise UsageError("The key is empty.", "Nothing was kept.", "Paste the key, then press enter.")
    file = save_key(base_url, key, invocation.home)
    invocation.finish(f"Kept for {base_url} in {file}", {"base_url": base_url, "file": str(file)})

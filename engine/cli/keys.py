"""`distill-tui keys`: saves an endpoint's API key outside of any project."""

import sys

import click

from engine.cli.invocation import CommandGroup, Invocation, command_options, read_text_argument


@click.group("keys", cls=CommandGroup)
def command() -> None:
    """Save an endpoint's API key in a file that only you can read."""


@command.command("save")
@click.argument("base_url")
@command_options
def save(invocation: Invocation, base_url: str) -> None:
    """Ask for the API key of BASE_URL, or read it from standard input, and save it for that host only."""
    from engine.errors import UsageError
    from engine.teachers.keys import check_address, save_key

    check_address(base_url)
    # With a terminal, click would read from it even if standard input is a pipe.
    asked = sys.stdin.isatty()
    key: str = click.prompt("Key", hide_input=True, err=True) if asked else read_text_argument("-")
    if not key.strip():
        raise UsageError("The key is empty.", "Nothing was saved.", "Paste the key, then press enter.")
    file = save_key(base_url, key, invocation.home)
    invocation.finish(f"Saved the key for {base_url} in {file}", {"base_url": base_url, "file": str(file)})

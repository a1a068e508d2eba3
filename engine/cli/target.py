"""Where an export goes: the options that name a file or standard output, and how its lines are written there.

Knows nothing of what the lines hold.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import click

from engine.cli.invocation import Invocation

F = TypeVar("F", bound=Callable[..., object])
_STANDARD_OUTPUT = "-"


def target_options(function: F) -> F:
    """Give a command `--to` and `--force`."""
    force = click.option("--force", is_flag=True, help="Overwrite an existing file.")
    target = click.option(
        "--to", "target", required=True, metavar="FILE|-", help="File to write; - is standard output."
    )
    return target(force(function))


def place_of(invocation: Invocation, target: str, *, force: bool) -> Path | None:
    """Return the file to write, or None for standard output. Raises `UsageError` if it cannot be written."""
    from engine.errors import UsageError
    from engine.paths import place_to_write

    if target != _STANDARD_OUTPUT:
        return place_to_write(Path(target), force=force)
    if invocation.json_output:
        raise UsageError("Cannot combine --to - with --json.", "Both print to standard output.", "Leave one out.")
    return None


def write_lines(path: Path | None, lines: Iterable[str]) -> int:
    """Write lines, each with its line end, to the file or to standard output; return their number.

    Lines that are printed must be in ASCII, so that they hold no control codes.
    """
    from engine.paths import write_atomically

    written = 0

    def each() -> Iterator[str]:
        nonlocal written
        for line in lines:
            written += 1
            yield line

    if path is None:
        for line in each():
            click.echo(line, nl=False)
    else:
        # A lone surrogate, which a project from elsewhere may hold, is valid JSON once it is escaped.
        write_atomically(path, (line.encode(errors="backslashreplace") for line in each()))
    return written

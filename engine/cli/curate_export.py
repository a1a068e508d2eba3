"""`distill-tui curate export`: writes the curated answers to a file that other programs, and this one, can read."""

from itertools import count
from pathlib import Path
from typing import get_args

import click

from engine.cli.invocation import Invocation, command_options
from engine.records.example import ExampleState
from engine.records.question import SPLITS, Split

_STANDARD_OUTPUT = "-"


@click.command("export")
@click.option("--to", "target", required=True, metavar="FILE|-", help="Write there; - prints the lines.")
@click.option("--state", type=click.Choice(get_args(ExampleState)), default="accepted", help="Those in this state.")
@click.option("--split", type=click.Choice(SPLITS), default=None, help="Those whose question is in this split.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@command_options
def export(invocation: Invocation, target: str, state: ExampleState, split: Split | None, *, force: bool) -> None:
    """Write the answers to the current prompt, without it, as OpenAI chat JSONL; edited ones as they were edited.

    Each line holds the messages and, beside them, the topic, the split, the example's number and the teacher.
    """
    from engine.curation.chat_file import as_line, chat_rows
    from engine.errors import UsageError
    from engine.paths import place_to_write, write_atomically
    from engine.wording import counted

    printed = target == _STANDARD_OUTPUT
    if printed and invocation.json_output:
        raise UsageError("Two results cannot be printed.", "--to - prints the lines.", "Name a file, or leave --json.")
    path = None if printed else place_to_write(Path(target), force=force)
    leaks: list[int] = []
    rows, written = chat_rows(invocation.project, state, split, leaks.append), count()
    if path is None:
        for row in rows:
            click.echo(as_line(row, ascii_only=True), nl=False)  # nothing in it that a terminal would obey
    else:
        # Half of a character, which a project of other hands may hold, is JSON too once it is escaped.
        lines = (as_line(row).encode(errors="backslashreplace") for row, _ in zip(rows, written, strict=False))
        write_atomically(path, lines)
    if leaks:
        invocation.say(f"{counted(len(leaks), 'answer')} may repeat the prompt, first example {leaks[0]}.")
    if path is not None:
        total = next(written)
        invocation.finish(
            f"Wrote {counted(total, 'answer')}: {path}",
            {"path": str(path), "examples": total, "state": state, "split": split, "leaks": leaks},
        )

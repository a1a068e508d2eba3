"""`distill-tui curate export`: writes the curated answers to a file that this and other programs can read."""

from contextlib import closing
from itertools import count
from pathlib import Path
from typing import get_args

import click

from engine.cli.invocation import Invocation, command_options
from engine.records.example import ExampleState
from engine.records.question import SPLITS, Split

_STANDARD_OUTPUT = "-"


@click.command("export")
@click.option("--to", "target", required=True, metavar="FILE|-", help="File to write; - is standard output.")
@click.option(
    "--state", type=click.Choice(get_args(ExampleState)), default="accepted", help="Only answers in this state."
)
@click.option("--split", type=click.Choice(SPLITS), default=None, help="Only answers whose question is in this split.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@command_options
def export(invocation: Invocation, target: str, state: ExampleState, split: Split | None, *, force: bool) -> None:
    """Write the answers to the current prompt as OpenAI chat JSONL, without the prompt itself.

    Each line holds the messages, the topic, the split, the example's id and the teacher. An edited answer is written as
    edited.
    """
    from engine.curation.chat_file import as_line, chat_rows
    from engine.errors import UsageError
    from engine.paths import place_to_write, write_atomically
    from engine.wording import counted

    printed = target == _STANDARD_OUTPUT
    if printed and invocation.json_output:
        raise UsageError("Cannot combine --to - with --json.", "Both print to standard output.", "Leave one out.")
    path = None if printed else place_to_write(Path(target), force=force)
    leaks: list[int] = []
    written = count()
    # Closed before the project is, also if nobody reads on: rows are read while they are written.
    with closing(chat_rows(invocation.project, state, split, leaks.append)) as rows:
        if path is None:
            for row in rows:
                click.echo(as_line(row, ascii_only=True), nl=False)  # so that it holds no control codes
        else:
            # A lone surrogate, which a project from elsewhere may hold, is valid JSON once it is escaped.
            lines = (as_line(row).encode(errors="backslashreplace") for row, _ in zip(rows, written, strict=False))
            write_atomically(path, lines)
    if leaks:
        invocation.say(f"{counted(len(leaks), 'answer')} may repeat the prompt; the first is example {leaks[0]}.")
    if path is not None:
        total = next(written)
        invocation.finish(
            f"Wrote {counted(total, 'answer')}: {path}",
            {"path": str(path), "examples": total, "state": state, "split": split, "leaks": leaks},
        )

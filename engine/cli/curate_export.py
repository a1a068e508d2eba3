"""`distill-tui curate export`: writes the curated answers to a file that this and other programs can read."""

from contextlib import closing
from typing import get_args

import click

from engine.cli.invocation import Invocation, command_options
from engine.cli.target import place_of, target_options, write_lines
from engine.records.example import ExampleState
from engine.records.question import SPLITS, Split


@click.command("export")
@target_options
@click.option(
    "--state", type=click.Choice(get_args(ExampleState)), default="accepted", help="Only answers in this state."
)
@click.option("--split", type=click.Choice(SPLITS), default=None, help="Only answers whose question is in this split.")
@command_options
def export(invocation: Invocation, target: str, state: ExampleState, split: Split | None, *, force: bool) -> None:
    """Write the answers to the current prompt as OpenAI chat JSONL, without the prompt itself.

    Each line holds the messages, the topic, the split, the example's id and the teacher. An edited answer is written as
    edited.
    """
    from engine.curation.chat_file import as_line, chat_rows
    from engine.wording import counted

    path = place_of(invocation, target, force=force)
    leaks: list[int] = []
    # Closed before the project is, also if nobody reads on: rows are read while they are written.
    with closing(chat_rows(invocation.project, state, split, leaks.append)) as rows:
        total = write_lines(path, (as_line(row, ascii_only=path is None) for row in rows))
    if leaks:
        invocation.say(f"{counted(len(leaks), 'answer')} may repeat the prompt; the first is example {leaks[0]}.")
    if path is not None:
        invocation.finish(
            f"Wrote {counted(total, 'answer')}: {path}",
            {"path": str(path), "examples": total, "state": state, "split": split, "leaks": leaks},
        )

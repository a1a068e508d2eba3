"""`distill-tui curate`: reviews answers by hand, and freezes the accepted ones into a dataset."""

import dataclasses
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, Unpack

import click

from engine.cli.curate_export import export
from engine.cli.curate_freeze import freeze_
from engine.cli.curate_list import Filters, filter_options, list_, selection_of
from engine.cli.invocation import CommandGroup, Invocation, command_options, read_text_argument
from engine.cli.judge import ask_about_examples, judge_options
from engine.records.selection import Selection
from engine.wording import counted, numbered


@click.group("curate", cls=CommandGroup)
def command() -> None:
    """Review answers, and freeze the accepted ones into a dataset."""


@command.command("check")
@click.option(
    "--judge",
    "ask_judge",
    is_flag=True,
    help="First ask the judge about rubric rules; its endpoint may charge for that.",
)
@judge_options
@command_options
def check(invocation: Invocation, judge_model: str | None, judge_url: str | None, *, ask_judge: bool) -> None:
    """Check every answer against the rules, and accept or reject those that you have not decided yourself.

    A rubric rule has no result until the judge has been asked. With --judge, it is asked once per rubric for each
    answer that passes all other rules; its verdicts are stored and count from then on.
    """
    from engine.curation.automatic import check_examples

    project = invocation.project
    judged = None
    if ask_judge or judge_model is not None or judge_url is not None:
        judged = ask_about_examples(invocation, judge_model, judge_url)
    decided = check_examples(project)
    if decided.unjudged:
        invocation.say(
            f"No judge has decided on {numbered('rule', decided.unjudged)}. Ask one: distill-tui curate check --judge"
            + ("" if project.settings.read().judge is not None else " --judge-model MODEL --judge-url URL")
        )
    invocation.finish(
        f"The rules accepted {counted(decided.accepted, 'answer')} and rejected {decided.rejected:,}.\n"
        "Next: distill-tui curate list, then distill-tui curate freeze",
        {
            "accepted": decided.accepted,
            "rejected": decided.rejected,
            "unjudged": decided.unjudged,
            **({} if judged is None else {"judged": dataclasses.asdict(judged)}),
        },
    )


if TYPE_CHECKING:
    from engine.project import Project

P = ParamSpec("P")


def selection_options(function: Callable[P, None]) -> Callable[P, None]:
    """Give a command the arguments and options that select examples."""
    return click.argument("ids", type=int, nargs=-1)(filter_options(function))


class Words(Filters):
    """The parameters that `selection_options` passes to a command."""

    ids: tuple[int, ...]


@command.command("accept")
@click.option("--reason", default="", show_default=False, help="Reason to record in the journal.")
@selection_options
@command_options
def accept_(invocation: Invocation, reason: str, **words: Unpack[Words]) -> None:
    """Accept the examples IDS, or all that match the options, as one step that can be undone.

    An edited example is accepted with its edited answer. Answers that were cut off are skipped; if only ids are given
    and one of their answers was cut off, nothing is accepted.
    """
    from engine.curation.decisions import accept

    done = accept(invocation.project, _selection(invocation.project, **words), reason)
    invocation.finish(
        f"Accepted {done.decided}."
        + (f" Skipped because they were cut off: {done.left_out:,}." if done.left_out else ""),
        {"decided": done.decided, "left_out": done.left_out, "verdict": "accept"},
    )


@command.command("reject")
@click.option("--reason", default="", show_default=False, help="Reason to record in the journal.")
@selection_options
@command_options
def reject_(invocation: Invocation, reason: str, **words: Unpack[Words]) -> None:
    """Reject the examples IDS, or all that match the options, as one step that can be undone."""
    from engine.curation.decisions import reject

    count = reject(invocation.project, _selection(invocation.project, **words), reason)
    invocation.finish(f"Rejected {count}.", {"decided": count, "verdict": "reject"})


@command.command("flag")
@click.option("--note", default="", show_default=False, help="Note to store with the flags.")
@click.option("--remove", is_flag=True, help="Remove flags instead of adding them.")
@selection_options
@command_options
def flag_(invocation: Invocation, note: str, remove: bool, **words: Unpack[Words]) -> None:
    """Flag the examples IDS, or all that match the options, as one step that can be undone.

    Decisions do not change."""
    from engine.curation.decisions import flag, unflag

    selection = _selection(invocation.project, **words)
    count = unflag(invocation.project, selection) if remove else flag(invocation.project, selection, note)
    invocation.finish(
        f"{'Removed' if remove else 'Added'} {counted(count, 'flag')}.",
        {"decided": count, "verdict": "unflag" if remove else "flag"},
    )


@command.command("edit")
@click.argument("example_id", type=int)
@click.argument("source", required=False, metavar="[FILE|-]")
@command_options
def edit_(invocation: Invocation, example_id: int, source: str | None) -> None:
    """Replace the answer of example EXAMPLE_ID with the text of FILE, or edit it in $EDITOR.

    The edited answer is accepted. With - the text is read from standard input."""
    from engine.curation.decisions import edit
    from engine.errors import DistillError, UsageError

    row = invocation.project.examples.get(example_id)
    if source is None and not (sys.stdin.isatty() or os.environ.get("VISUAL") or os.environ.get("EDITOR")):
        raise UsageError(
            "Cannot open an editor without a terminal.",
            f"Example {example_id} was not changed.",
            "Pass a FILE, or - to read the text from standard input.",
        )
    try:
        text = read_text_argument(source) if source else click.edit(row.answer, require_save=True)
    except click.ClickException as error:
        raise DistillError(
            "The editor failed.", f"{error.message}.", f"Example {example_id} was not changed. Set another $EDITOR."
        ) from error
    if text is None:
        raise UsageError("Nothing was changed.", "The editor was closed without saving.", "The old answer is kept.")
    # The student must not learn the line ends of other systems.
    results = edit(invocation.project, example_id, text.replace("\r\n", "\n").removesuffix("\n"))
    broken = [result for result in results if not result.passed]
    invocation.finish(
        f"Example {example_id} is edited and accepted."
        + "".join(f"\nIt breaks rule {result.rule_id}: {result.note}" for result in broken),
        {"decided": 1, "verdict": "edit", "broken_rules": [result.rule_id for result in broken]},
    )


@command.command("undo")
@command_options
def undo(invocation: Invocation) -> None:
    """Undo the last step of decisions or flags."""
    step = invocation.project.decisions.undo()
    count = step.decisions if step is not None else 0
    invocation.finish(f"Undone: {counted(count, 'decision')}." if count else "Nothing to undo.", {"undone": count})


@command.command("redo")
@command_options
def redo(invocation: Invocation) -> None:
    """Redo the step that was undone last."""
    step = invocation.project.decisions.redo()
    count = step.decisions if step is not None else 0
    invocation.finish(f"Redid {counted(count, 'decision')}." if count else "Nothing to redo.", {"redone": count})


command.add_command(list_)
command.add_command(export)
command.add_command(freeze_)


def _selection(project: "Project", **words: Unpack[Words]) -> Selection:
    from engine.errors import UsageError

    selection = selection_of(project, **words)
    if selection.empty:
        raise UsageError(
            "No examples were selected.", "There are no ids or options.", "Pass ids, or an option such as --state."
        )
    return selection

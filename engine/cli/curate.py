"""`distill-tui curate`: reviews answers by hand, and freezes the accepted ones into a dataset."""

from collections.abc import Callable
from typing import ParamSpec, get_args

import click

from engine.cli.invocation import Invocation, command_options, read_text_argument
from engine.records.example import CuratedExample, ExampleState


@click.group("curate")
def command() -> None:
    """Review answers and freeze the accepted ones into a dataset."""


@command.command("check")
@command_options
def check(invocation: Invocation) -> None:
    """Run the rules over every answer; those that nobody decided are accepted or rejected by them."""
    from engine.curation.automatic import check_examples

    decided = check_examples(invocation.project)
    invocation.finish(
        f"The rules accepted {decided.accepted} and rejected {decided.rejected} answers.",
        {"accepted": decided.accepted, "rejected": decided.rejected},
    )


@command.command("list")
@click.option("--state", type=click.Choice(get_args(ExampleState)), default=None)
@click.option("--search", default="", help="Words in question or answer.")
@click.option("--offset", type=click.IntRange(0), default=0)
@click.option("--limit", type=click.IntRange(1), default=50)
@command_options
def list_(invocation: Invocation, state: ExampleState | None, search: str, offset: int, limit: int) -> None:
    """List answers with what was decided and which rules they break."""
    project = invocation.project
    rows = project.examples.window(offset, limit, state=state, search=search)
    counts = project.examples.counts()
    invocation.say(
        f"{counts.total} examples: {counts.accepted} accepted, {counts.rejected} rejected, {counts.undecided} undecided"
    )
    question_of = {row.example.key.question_id: project.questions.get(row.example.key.question_id) for row in rows}
    invocation.finish(
        "\n\n".join(_example_text(row, question_of[row.example.key.question_id].text) for row in rows),
        {
            "total": counts.total,
            "accepted": counts.accepted,
            "rejected": counts.rejected,
            "undecided": counts.undecided,
            "examples": [
                {
                    "id": row.example.id,
                    "question": question_of[row.example.key.question_id].text,
                    "answer": row.answer,
                    "state": row.state,
                    "decided_by": row.decision.source if row.decision else None,
                    "broken_rules": [r.rule_id for r in row.example.checks if not r.passed],
                }
                for row in rows
            ],
        },
    )


P = ParamSpec("P")


def selection_options(function: Callable[P, None]) -> Callable[P, None]:
    """Give a command the words that say which examples are meant."""
    for option in (
        click.option("--contains", default="", help="Those whose answer contains this text."),
        click.option("--failing-rule", type=int, default=None, help="Those that break this rule."),
        click.option("--state", type=click.Choice(get_args(ExampleState)), default=None, help="Those in this state."),
        click.argument("ids", type=int, nargs=-1),
    ):
        function = option(function)
    return function


@command.command("accept")
@click.option("--reason", default="", help="Kept in the journal.")
@selection_options
@command_options
def accept_(
    invocation: Invocation,
    ids: tuple[int, ...],
    state: ExampleState | None,
    failing_rule: int | None,
    contains: str,
    reason: str,
) -> None:
    """Accept the examples IDS, or all that the options describe, as one step."""
    from engine.curation.decisions import accept

    count = accept(invocation.project, _chosen(invocation, ids, state, failing_rule, contains), reason)
    invocation.finish(f"Accepted {count}.", {"decided": count, "verdict": "accept"})


@command.command("reject")
@click.option("--reason", default="", help="Kept in the journal.")
@selection_options
@command_options
def reject_(
    invocation: Invocation,
    ids: tuple[int, ...],
    state: ExampleState | None,
    failing_rule: int | None,
    contains: str,
    reason: str,
) -> None:
    """Reject the examples IDS, or all that the options describe, as one step."""
    from engine.curation.decisions import reject

    count = reject(invocation.project, _chosen(invocation, ids, state, failing_rule, contains), reason)
    invocation.finish(f"Rejected {count}.", {"decided": count, "verdict": "reject"})


@command.command("edit")
@click.argument("example_id", type=int)
@click.argument("source", required=False, metavar="[FILE|-]")
@command_options
def edit_(invocation: Invocation, example_id: int, source: str | None) -> None:
    """Replace the answer of EXAMPLE_ID by FILE's text, or in $EDITOR; the edited answer is accepted."""
    from engine.curation.decisions import edit
    from engine.errors import UsageError

    row = invocation.project.examples.get(example_id)
    text = read_text_argument(source) if source else click.edit(row.answer, require_save=True)
    if text is None:
        raise UsageError("Nothing was changed.", "The editor closed without saving.", "The old answer stands.")
    results = edit(invocation.project, example_id, text.removesuffix("\n"))
    broken = [result for result in results if not result.passed]
    invocation.finish(
        f"Example {example_id} is edited and accepted."
        + "".join(f"\nIt breaks rule {result.rule_id}: {result.note}" for result in broken),
        {"decided": 1, "verdict": "edit", "broken_rules": [result.rule_id for result in broken]},
    )


@command.command("undo")
@command_options
def undo(invocation: Invocation) -> None:
    """Take back the last step of decisions."""
    count = invocation.project.decisions.undo()
    invocation.finish("Nothing to undo." if count is None else f"Took back {count} decisions.", {"undone": count or 0})


@command.command("redo")
@command_options
def redo(invocation: Invocation) -> None:
    """Decide again what the last undo took back."""
    count = invocation.project.decisions.redo()
    invocation.finish("Nothing to redo." if count is None else f"Decided {count} again.", {"redone": count or 0})


@command.command("freeze")
@click.option(
    "--allow-leaks", is_flag=True, help="Freeze although answers repeat words of the prompt that you have read."
)
@command_options
def freeze_(invocation: Invocation, allow_leaks: bool) -> None:
    """Tokenise the accepted answers once, search them for the prompt, and freeze them as the dataset."""
    from engine.curation.freeze import freeze
    from engine.model.chat_format import ChatFormat
    from engine.model.locate import locate_base

    project = invocation.project
    folder = locate_base(project.settings.read().student_base, invocation.home, invocation.say_progress)
    dataset = freeze(project, ChatFormat.load(folder), allow_leaks=allow_leaks)
    train, validation = len(dataset.split("train")), len(dataset.split("validation"))
    invocation.finish(
        f"Frozen as {dataset.sha256[:12]}: {train} rows to train on, {validation} to validate.\n"
        "Next: distill-tui train",
        {"sha256": dataset.sha256, "train": train, "validation": validation},
    )


def _chosen(
    invocation: Invocation,
    ids: tuple[int, ...],
    state: ExampleState | None,
    failing_rule: int | None,
    contains: str,
) -> tuple[CuratedExample, ...]:
    from engine.curation.decisions import Selection, select
    from engine.errors import UsageError

    selection = Selection(ids=ids, state=state, failing_rule=failing_rule, contains=contains)
    if selection.empty:
        raise UsageError("Which examples?", "None is named.", "Give their ids, or --state, --failing-rule, --contains.")
    return select(invocation.project, selection)


def _example_text(row: CuratedExample, question: str) -> str:
    mark = {"accepted": "✓", "rejected": "✗", "undecided": "○"}[row.state]
    broken = "; ".join(f"rule {r.rule_id}: {r.note}" for r in row.example.checks if not r.passed)
    return f"{row.example.id:>5} {mark} {question}\n        {row.answer}" + (f"\n        {broken}" if broken else "")

"""`distill-tui curate`: reviews answers by hand, and freezes the accepted ones into a dataset."""

import click

from engine.cli.invocation import Invocation, command_options, read_text_argument
from engine.records.example import CuratedExample, Decision, Verdict

_STATES = ("accepted", "rejected", "undecided")


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
@click.option("--state", type=click.Choice(_STATES), default=None)
@click.option("--search", default="", help="Words in question or answer.")
@click.option("--offset", type=click.IntRange(0), default=0)
@click.option("--limit", type=click.IntRange(1), default=50)
@command_options
def list_(invocation: Invocation, state: str | None, search: str, offset: int, limit: int) -> None:
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
                    "state": _state(row),
                    "decided_by": row.decision.source if row.decision else None,
                    "broken_rules": [r.rule_id for r in row.example.checks if not r.passed],
                }
                for row in rows
            ],
        },
    )


@command.command("accept")
@click.argument("ids", type=int, nargs=-1, required=True)
@command_options
def accept(invocation: Invocation, ids: tuple[int, ...]) -> None:
    """Accept the examples IDS."""
    _decide(invocation, ids, "accept", "")


@command.command("reject")
@click.argument("ids", type=int, nargs=-1, required=True)
@click.option("--reason", default="")
@command_options
def reject(invocation: Invocation, ids: tuple[int, ...], reason: str) -> None:
    """Reject the examples IDS."""
    _decide(invocation, ids, "reject", reason)


@command.command("edit")
@click.argument("example_id", type=int)
@click.argument("source", required=False, metavar="[FILE|-]")
@command_options
def edit(invocation: Invocation, example_id: int, source: str | None) -> None:
    """Replace the answer of EXAMPLE_ID by FILE's text, or in $EDITOR; the edited answer is accepted."""
    from engine.errors import UsageError

    row = invocation.project.examples.get(example_id)
    text = read_text_argument(source) if source else click.edit(row.answer, require_save=True)
    if text is None:
        raise UsageError("Nothing was changed.", "The editor closed without saving.", "The old answer stands.")
    answer = text.removesuffix("\n")
    if not answer.strip():
        raise UsageError("The answer is empty.", f"Example {example_id} keeps its text.", "Reject it instead.")
    invocation.project.decisions.decide(
        [Decision(example_id=example_id, verdict="edit", source="person", edited_answer=answer)]
    )
    invocation.finish(f"Example {example_id} is edited and accepted.", {"decided": 1, "verdict": "edit"})


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
@click.option("--allow-leaks", is_flag=True, help="Freeze although answers repeat the prompt; you have read the list.")
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


def _decide(invocation: Invocation, ids: tuple[int, ...], verdict: Verdict, reason: str) -> None:
    for example_id in ids:
        invocation.project.examples.get(example_id)  # raises NotFoundError before anything is decided
    count = invocation.project.decisions.decide(
        [Decision(example_id=i, verdict=verdict, source="person", reason=reason) for i in ids]
    )
    invocation.finish(f"Decided: {verdict} {count}.", {"decided": count, "verdict": verdict})


def _state(row: CuratedExample) -> str:
    if row.decision is None:
        return "undecided"
    return "accepted" if row.accepted else "rejected"


def _example_text(row: CuratedExample, question: str) -> str:
    mark = {"accepted": "✓", "rejected": "✗", "undecided": "○"}[_state(row)]
    broken = "; ".join(f"rule {r.rule_id}: {r.note}" for r in row.example.checks if not r.passed)
    return f"{row.example.id:>5} {mark} {question}\n        {row.answer}" + (f"\n        {broken}" if broken else "")

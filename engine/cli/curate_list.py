"""`distill-tui curate list`: lists answers, and the filters that select some of them, here and for decisions."""

import dataclasses
from collections.abc import Callable, Sequence
from textwrap import indent
from typing import TYPE_CHECKING, ParamSpec, TypedDict, Unpack, get_args

import click

from engine.cli.invocation import Invocation, command_options
from engine.cli.known import require_rule, require_topic
from engine.records.example import CuratedExample, ExampleState
from engine.records.prompt import as_plain
from engine.records.question import Question
from engine.records.rule import CheckResult
from engine.records.selection import Selection
from engine.wording import counted

if TYPE_CHECKING:
    from engine.project import Project

P = ParamSpec("P")


def filter_options(function: Callable[P, None]) -> Callable[P, None]:
    """Give a command the options that filter the list of examples."""
    for option in (
        click.option(
            "--contains", default="", show_default=False, help="Only examples whose answer contains this text."
        ),
        click.option(
            "--search", default="", show_default=False, help="Only examples with these words in question or answer."
        ),
        click.option(
            "--failing-rule", type=int, default=None, help="Only examples whose generated answer breaks this rule."
        ),
        click.option("--topic", default=None, help="Only examples whose question has this topic."),
        click.option("--flagged", is_flag=True, help="Only examples with a flag."),
        click.option(
            "--state", type=click.Choice(get_args(ExampleState)), default=None, help="Only examples in this state."
        ),
    ):
        function = option(function)
    return function


class Filters(TypedDict):
    """The parameters that `filter_options` passes to a command."""

    state: ExampleState | None
    flagged: bool
    topic: str | None
    failing_rule: int | None
    search: str
    contains: str


def selection_of(project: "Project", ids: tuple[int, ...] = (), **words: Unpack[Filters]) -> Selection:
    """Return the selection that the parameters mean. Raises `NotFoundError` if they name a rule or topic in vain."""
    require_rule(project, words["failing_rule"])
    require_topic(project, words["topic"])
    return dataclasses.replace(Selection(ids=ids, **words), flagged=words["flagged"] or None)


@click.command("list")
@filter_options
@click.option("--offset", type=click.IntRange(0), default=0, help="Number of examples to skip.")
@click.option("--limit", type=click.IntRange(1), default=50, help="Maximum number of examples to show.")
@command_options
def list_(invocation: Invocation, offset: int, limit: int, **words: Unpack[Filters]) -> None:
    """List the answers to the current prompt, with decisions, flags and the rules that they break."""
    from engine.curation.meaning import counts_of_now, meant
    from engine.curation.shown import checks_shown

    project = invocation.project
    selection = meant(project, selection_of(project, **words))
    rows = () if selection is None else project.examples.window(offset, limit, selection)
    counts = counts_of_now(project)
    matching = 0 if selection is None else project.examples.count(selection)
    invocation.say(
        f"{counted(counts.total, 'example')}: {counts.words}"
        + (f"; {counts.flagged} flagged" if counts.flagged else "")
        + (f"; {older} to older prompts" if (older := project.examples.count() - counts.total) else "")
        + (f"; showing {len(rows)} of {matching}, see --offset and --limit" if len(rows) < matching else "")
    )
    rules, shown = project.rules.all(), list[tuple[CuratedExample, Question, list[CheckResult]]]()
    for row in rows:
        question = project.questions.get(row.example.key.question_id)
        shown.append((row, question, [check for check in checks_shown(rules, row, question) if not check.passed]))
    invocation.finish(
        "\n\n".join(_example_text(*each) for each in shown),
        {
            "total": counts.total,
            "accepted": counts.accepted,
            "rejected": counts.rejected,
            "undecided": counts.undecided,
            "flagged": counts.flagged,
            "matching": matching,
            "examples": [
                {
                    "id": row.example.id,
                    "question_id": row.example.key.question_id,
                    "attempt": row.example.key.attempt,
                    "question": question.text,
                    "messages": as_plain(question.messages),
                    "topic": question.topic,
                    "answer": row.answer,
                    "generated": row.example.answer,
                    "finish_reason": row.example.finish_reason,
                    "state": row.state,
                    "decided_by": row.decision.source if row.decision else None,
                    "reason": row.decision.reason if row.decision else "",
                    "carried_from": row.example.carried_from or None,
                    "flag": row.flag.reason if row.flag else None,
                    "broken_rules": [check.rule_id for check in broken],
                }
                for row, question, broken in shown
            ],
        },
    )


def _example_text(row: CuratedExample, question: Question, broken: Sequence[CheckResult]) -> str:
    mark = {"accepted": "✓", "rejected": "✗", "undecided": "○"}[row.state]
    notes = [] if row.whole else [f"(cut off; ended by {row.example.ending})"]
    if broken:
        notes.append("; ".join(f"rule {check.rule_id}: {check.note}" for check in broken))
    flag = "" if row.flag is None else f"⚑ {row.flag.reason}: " if row.flag.reason else "⚑ "
    carried = f"  (carried over from example {row.example.carried_from})" if row.example.carried_from else ""
    return f"{row.example.id:>5} {mark} " + indent(
        "\n".join([f"{flag}{question.listed}{carried}", row.answer, *notes]), " " * 8
    ).removeprefix(" " * 8)

"""`distill-tui questions list|export|remove`: the stored questions, as they are and by their numbers."""

import collections
import json
from collections.abc import Sequence

import click

from engine.clean import clean_line
from engine.cli.invocation import Invocation, command_options
from engine.cli.known import require_topic
from engine.cli.target import place_of, target_options, write_lines
from engine.errors import NotFoundError, UsageError
from engine.records.prompt import as_plain
from engine.records.question import SPLITS, Question, Split
from engine.wording import counted

split_option = click.option(
    "--split", "split_name", type=click.Choice(SPLITS), default=None, help="Only questions of this split."
)
topic_option = click.option("--topic", default=None, help="Only questions on this topic.")


@click.command("list")
@split_option
@topic_option
@click.option("--limit", type=click.IntRange(1), default=None, help="Maximum number of questions to show.")
@command_options
def list_(invocation: Invocation, split_name: Split | None, topic: str | None, limit: int | None) -> None:
    """List questions with their topics and splits, and count them by split."""
    require_topic(invocation.project, topic)
    questions = invocation.project.questions.all(split=split_name, topic=topic)
    shown = questions[:limit] if limit else questions
    by_split = collections.Counter(question.split or "unsplit" for question in questions)
    parts = ", ".join(f"{n} {name}" for name, n in by_split.items())
    invocation.say(counted(len(questions), "question") + (f": {parts}" if parts else ""))
    invocation.finish(
        "\n".join(
            f"{q.id:>5}  {q.split or '-':<10}  {clean_line(q.topic) or '-':<20}  {clean_line(q.listed)}" for q in shown
        ),
        {"count": len(questions), "questions": _rows(shown)},
    )


@click.command("export")
@target_options
@split_option
@topic_option
@command_options
def export(invocation: Invocation, target: str, split_name: Split | None, topic: str | None, *, force: bool) -> None:
    """Write questions as JSONL, which `questions import` reads back.

    Each line holds the messages, the topic, the gold label, the split, the number and the source. An import takes all
    but the last two.
    """
    path = place_of(invocation, target, force=force)
    require_topic(invocation.project, topic)
    questions = invocation.project.questions.all(split=split_name, topic=topic)
    if not questions:
        why, advice = "The project has no questions.", "Import some: distill-tui questions import FILE"
        if invocation.project.questions.count():
            why, advice = "No question has this split and topic.", "See `distill-tui questions list`."
        raise NotFoundError("There is nothing to export.", why, advice)
    total = write_lines(path, (json.dumps(_plain(each), ensure_ascii=path is None) + "\n" for each in questions))
    if path is not None:
        invocation.finish(f"Wrote {counted(total, 'question')}: {path}", {"path": str(path), "questions": total})


@click.command("remove")
@click.argument("numbers", nargs=-1, required=True, type=int, metavar="NUMBER...")
@click.option("--force", is_flag=True, help="Remove questions with answers too; the answers are deleted.")
@command_options
def remove(invocation: Invocation, numbers: Sequence[int], *, force: bool) -> None:
    """Remove the questions with these NUMBERs.

    The JSON output holds them as `questions list` shows them. This cannot be undone; to keep the questions, run
    `questions export` first.
    """
    table = invocation.project.questions
    numbers = tuple(dict.fromkeys(numbers))
    with invocation.project.transaction():  # nobody can answer a question between this check and its removal
        removed = [table.get(number) for number in numbers]
        answered = table.examples_of(numbers)
        answers = sum(answered.values())
        if answers and not force:
            raise UsageError(
                f"{counted(len(answered), 'question')} would be removed with {counted(answers, 'answer')}.",
                "Deleted answers cannot be restored.",
                "Add --force to remove them too.",
            )
        table.remove(numbers)
    lost = f", and {counted(answers, 'answer')} to them" if answers else ""
    invocation.finish(
        f"Removed {counted(len(removed), 'question')}{lost}.",
        {"removed": len(removed), "answers": answers, "questions": _rows(removed)},
    )


def _rows(questions: Sequence[Question]) -> list[dict[str, object]]:
    return [{**_plain(question), "text": question.text} for question in questions]


def _plain(question: Question) -> dict[str, object]:
    """Return a stored question as plain JSON values, with its text in its messages only."""
    return {
        "id": question.id,
        "split": question.split,
        "topic": question.topic,
        "label": question.label,
        "source": question.source,
        "messages": as_plain(question.messages),
    }

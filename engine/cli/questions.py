"""`distill-tui questions`: the second station. Imports, synthesizes, deduplicates and splits questions."""

from collections.abc import Callable, Mapping

import click

from engine.cli.invocation import CommandGroup, Invocation, Number, command_options, detach_option
from engine.cli.questions_stored import export, list_, remove
from engine.cli.teacher import chosen_teacher, teacher_options, teacher_seed_option
from engine.questions.rows import PLACINGS, Placing
from engine.records.options import SynthesizeOptions
from engine.records.question import SPLITS, Question
from engine.wording import counted

_SHOWN_FIRST = 20  # of the questions that would be stored


@click.group("questions", cls=CommandGroup)
def command() -> None:
    """Import, synthesize, deduplicate, split, list, improve, export and remove questions."""


@command.command("import")
@click.argument("source", metavar="FILE|FOLDER|HUB-NAME|-")
@click.option("--text-column", default=None, help="Column that holds the question.")
@click.option("--topic-column", default=None, help="Column that holds the question's topic.")
@click.option("--label-column", default=None, help="Column that holds the question's gold label.")
@click.option(
    "--split",
    type=click.Choice(PLACINGS),
    default="file",
    show_default=True,
    help="Split of all these questions: as in the file's column `split`, drawn later, or this one.",
)
@click.option("--limit", type=click.IntRange(1), default=None, help="Maximum number of questions to read.")
@click.option("--dry-run", is_flag=True, help="Show what would be stored, without storing it.")
@command_options
def import_(
    invocation: Invocation,
    source: str,
    text_column: str | None,
    topic_column: str | None,
    label_column: str | None,
    split: Placing,
    limit: int | None,
    *,
    dry_run: bool,
) -> None:
    """Import questions from text, JSONL, CSV, Parquet, OpenAI chat JSONL, or a datasets folder or hub name.

    Text has one question per line. Elsewhere, a question is in `text` or `question`, or a chat in `messages`; its topic
    in `topic`, and its gold label in `label`. The options name other columns. Of a data set in several parts, the part
    named like --split is read, else the training part.
    """
    from engine.errors import UsageError
    from engine.questions.importers import import_questions
    from engine.questions.rows import NoQuestionColumnError
    from engine.store.questions import AddedQuestions

    name_column = "specify the question column" + ("" if invocation.json_output else " with --text-column")
    try:
        result = import_questions(
            source,
            text_column=text_column,
            topic_column=topic_column,
            label_column=label_column,
            split=split,
            limit=limit,
        )
    except NoQuestionColumnError as error:
        error.next = f"{name_column.capitalize()}."
        raise
    table = invocation.project.questions
    if dry_run:
        new = [question for question, is_new in zip(result.questions, table.new_among(result.questions), strict=True)
               if is_new]  # fmt: skip
        added = AddedQuestions(len(new), len(result.questions) - len(new))
    else:
        new, added = [], table.add(result.questions)
    for note in result.notes:
        invocation.say(note)
    for refusal in result.refused[:10]:
        invocation.say(f"refused, line {refusal.line}: {refusal.reason}")
    if len(result.refused) > 10:
        invocation.say(f"refused: {len(result.refused) - 10} more")
    if result.refused and not result.questions:
        first = result.refused[0]
        raise UsageError(
            f"No questions were imported from {source}",
            f"{counted(len(result.refused), 'line')} refused; line {first.line}: {first.reason}.",
            f"Fix the file, or {name_column}.",
        )
    invocation.finish(
        f"{'Would add' if dry_run else 'Added'} {counted(added.added, 'question')}; "
        f"{added.duplicates} existed already, {len(result.refused)} refused."
        + ("" if dry_run else "\nNext: distill-tui questions dedupe, then distill-tui questions split"),
        {
            "added": added.added,
            "duplicates": added.duplicates,
            "refused": [{"line": r.line, "reason": r.reason} for r in result.refused],
            "notes": list(result.notes),
        }
        | ({"first": [_first(question) for question in new[:_SHOWN_FIRST]]} if dry_run else {"at": added.at}),
    )


@command.command("synthesize")
@click.option("--topics", type=click.IntRange(1, 200), default=20, help="Number of topics to ask the teacher for.")
@click.option("--per-topic", type=click.IntRange(1, 50), default=10, help="Number of questions per topic.")
@teacher_options
@teacher_seed_option
@detach_option
@command_options
def synthesize(
    invocation: Invocation,
    topics: int,
    per_topic: int,
    base_url: str | None,
    model: str | None,
    seed: int,
    *,
    detach: bool,
) -> None:
    """Have the teacher write topics that fit the prompt, and questions on each topic."""
    invocation.project.prompts.require()
    options = SynthesizeOptions(chosen_teacher(invocation, base_url, model), topics, per_topic, seed)

    def report(added: int) -> str:
        return (
            f"Added {counted(added, 'question')}.\nNext: distill-tui questions dedupe, then distill-tui questions split"
        )

    _write(invocation, options, report, {}, detach=detach)


@command.command("improve")
@click.option(
    "--limit",
    type=click.IntRange(1, 200),
    default=20,
    help="Maximum number of failed questions to use, the worst first.",
)
@click.option(
    "--per-question",
    type=click.IntRange(1, 50),
    default=5,
    help="Number of training questions to write for each failed question.",
)
@teacher_options
@teacher_seed_option
@detach_option
@command_options
def improve(
    invocation: Invocation,
    limit: int,
    per_question: int,
    base_url: str | None,
    model: str | None,
    seed: int,
    *,
    detach: bool,
) -> None:
    """Have the teacher write training questions like the validation questions that the student fails."""
    from engine.evaluation.improve import failed_validation

    invocation.project.prompts.require()
    failed = failed_validation(invocation.project, limit)
    if not failed:
        invocation.finish("No validation question failed, so there is nothing to improve.", {"failed": [], "added": 0})
        return
    teacher = chosen_teacher(invocation, base_url, model)
    options = SynthesizeOptions(teacher, per_topic=per_question, seed=seed, like=failed)

    def report(added: int) -> str:
        return (
            f"Added {counted(added, 'training question')} like {len(failed)} that failed.\nNext: distill-tui generate"
        )

    _write(invocation, options, report, {"failed": list(failed)}, detach=detach)


@command.command("dedupe")
@click.option(
    "--threshold",
    type=Number(0.1, 1.0),
    default=0.7,
    help="Minimum similarity of duplicates: Jaccard index of word 3-shingles.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, without removing it.")
@command_options
def dedupe(invocation: Invocation, threshold: float, dry_run: bool) -> None:
    """Remove near-duplicate questions and their answers, keeping the first of each group."""
    from engine.questions.duplicates import find_duplicates

    table = invocation.project.questions
    questions = _questions_to(invocation, "compare")
    pairs = find_duplicates(questions, threshold)
    text_of = {question.id: question.text for question in questions}
    dropped = [pair.dropped for pair in pairs]
    answers = sum(table.examples_of(dropped).values())
    if not dry_run:
        table.remove(dropped)
    for pair in pairs[:10]:
        invocation.say(f"{pair.similarity:.2f}  {text_of[pair.dropped]}  ≈  {text_of[pair.kept]}")
    invocation.finish(
        f"{'Would remove' if dry_run else 'Removed'} {len(pairs)} of {len(questions)} questions"
        + (f", and {counted(answers, 'answer')} to them." if answers else "."),
        {
            "removed": 0 if dry_run else len(pairs),
            "answers": answers,
            "pairs": [{"kept": p.kept, "dropped": p.dropped, "similarity": p.similarity} for p in pairs],
        },
    )


@command.command("split")
@click.option("--seed", type=int, default=0, help="Random seed.")
@click.option("--test", "test_fraction", type=Number(0.01, 0.9), default=0.1, help="Share of the test split.")
@click.option(
    "--validation", "validation_fraction", type=Number(0.01, 0.9), default=0.1, help="Share of the validation split."
)
@click.option("--dry-run", is_flag=True, help="Show the resulting splits, without storing them.")
@command_options
def split(
    invocation: Invocation, seed: int, test_fraction: float, validation_fraction: float, *, dry_run: bool
) -> None:
    """Assign whole topics to the train, validation and test splits. Questions that have a split keep it."""
    from engine.errors import UsageError
    from engine.questions.split import split_by_topic, split_notes

    train_fraction = 1.0 - test_fraction - validation_fraction
    if train_fraction <= 0:
        raise UsageError(
            "Nothing would be left to train on.", "The shares add up to 1 or more.", "Lower --test or --validation."
        )
    table = invocation.project.questions
    questions = _questions_to(invocation, "split")
    fractions = (train_fraction, validation_fraction, test_fraction)
    drawn = split_by_topic(questions, seed, fractions)
    notes = split_notes(questions, drawn, fractions)
    if not dry_run:
        table.set_splits(drawn)
    topics: dict[str, dict[str, int]] = {}
    for question in questions:
        counted = topics.setdefault(question.topic, dict.fromkeys(SPLITS, 0))
        counted[drawn[question.id]] += 1
    counts = {name: sum(topic[name] for topic in topics.values()) for name in SPLITS}
    for note in notes:
        invocation.say(note)
    invocation.finish(
        ("Would assign: " if dry_run else "") + "  ".join(f"{name} {count}" for name, count in counts.items()),
        {
            "splits": counts,
            "drawn": sum(question.split is None for question in questions),
            "topics": [{"topic": topic, **counted} for topic, counted in sorted(topics.items())],
            "notes": list(notes),
        },
    )


command.add_command(list_)
command.add_command(export)
command.add_command(remove)


def _write(
    invocation: Invocation,
    options: SynthesizeOptions,
    report: Callable[[int], str],
    data: Mapping[str, object],
    *,
    detach: bool,
) -> None:
    """Have the teacher write questions; the result is `report` of how many were added, and `data` with that number."""
    from engine.cli.following import start_and_follow
    from engine.status import job_json

    before = invocation.project.questions.count()
    job = start_and_follow(invocation, options, detach=detach)
    if job is None:
        return
    added = invocation.project.questions.count() - before
    invocation.finish(report(added), {**data, "added": added, "job": job_json(invocation.project, job)})


def _questions_to(invocation: Invocation, what: str) -> tuple[Question, ...]:
    """Return the project's questions. Raises UsageError if it has none."""
    from engine.errors import UsageError

    questions = invocation.project.questions.all()
    if not questions:
        raise UsageError(
            f"There are no questions to {what}.", "The project has none.", "Run: distill-tui questions import FILE"
        )
    return questions


def _first(question: Question) -> dict[str, object]:
    """Return one of the questions that would be stored, as a JSON object."""
    return {
        "topic": question.topic,
        "label": question.label,
        "split": question.split,
        "turns": len(question.messages),
        "text": question.text,
    }

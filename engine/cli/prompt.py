"""`distill-tui prompt`: the first station. Sets, shows, checks, compares and tries out the prompt."""

import dataclasses
from typing import TYPE_CHECKING

import click

from engine.clean import clean_line
from engine.cli.invocation import CommandGroup, Invocation, command_options, name_of, read_text_argument
from engine.cli.teacher import say_unfilled
from engine.records.prompt import Message, Prompt, PromptVersion
from engine.wording import counted, in_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.project import Project
    from engine.records.job import Job

REVIEW_TOKENS = 4_096  # of a teacher's review; one that is cut off is not JSON, and reported
_MOST_LINES = 6  # of headings that a message lists


@click.group("prompt", cls=CommandGroup)
def command() -> None:
    """Set, show, check, compare and try out the prompt."""


@command.command("set")
@click.argument("source", metavar="FILE|-")
@click.option("--note", default="", show_default=False, help="Short note on this version.")
@command_options
def set_(invocation: Invocation, source: str, note: str) -> None:
    """Make FILE (Markdown, YAML or OpenAI chat JSON; - is standard input) the current prompt.

    In Markdown, the headings `## User` and `## Assistant`, alone on a line, start example turns; other headings are
    text. To keep such a heading as text, put a backslash before it: `\\## User`.
    """
    from engine.prompts.demands import read_demands
    from engine.prompts.documents import parse_prompt, refuse_table, turn_headings
    from engine.prompts.outdated import find_outdated

    refuse_table(source)  # before it is read: a Parquet file is not text
    text = read_text_argument(source)
    prompt = parse_prompt(text, name_of(source))
    project = invocation.project
    before = project.prompts.current()
    version = project.prompts.set(prompt, note)
    outdated = _answering(project) if before is not None and before.version != version.version else []
    for job in outdated:
        invocation.say(
            f"Job {job.id} ({job.kind}) still answers the version before. Stop it: distill-tui jobs stop {job.id}"
        )
    tokens = _counts(invocation, prompt)
    say_unfilled(invocation, prompt)
    for finding in find_outdated(prompt, read_demands(prompt), invocation.project.rules.all()):
        invocation.say(f"Line {finding.line}: “{clean_line(finding.quote)}” {finding.problem}")
    turns = counted(len(prompt.example_turns) // 2, "example turn")
    if headings := turn_headings(text):
        invocation.say(
            f"Read {turns} from the headings {_places(headings)}: all text after line {headings[0][0]} is examples. "
            r"To keep such a heading as text, put a backslash before it: \## User"
        )
    invocation.finish(
        f"Version {version.version} is current: {_counts_text(tokens)}, {turns}.\nNext: {_next(invocation.project)}",
        {
            "version": version.version,
            "sha256": prompt.sha256,
            "tokens": tokens,
            "outdated_jobs": [job.id for job in outdated],
        },
    )


@command.command("show")
@click.option("--version", "number", type=int, default=None, help="Number of the version; defaults to the current one.")
@command_options
def show(invocation: Invocation, number: int | None) -> None:
    """Print the prompt as Markdown, and its token counts to standard error."""
    from engine.prompts.documents import prompt_to_markdown

    table = invocation.project.prompts
    found = table.by_version(number) if number is not None else table.require_version()
    tokens = _counts(invocation, found.prompt)
    invocation.say(_counts_text(tokens))
    invocation.finish(
        prompt_to_markdown(found.prompt).removesuffix("\n"),
        {
            "version": found.version,
            "note": found.note,
            "created_at": found.created_at,
            "sha256": found.prompt.sha256,
            "messages": [dataclasses.asdict(message) for message in found.prompt.messages],
            "tokens": tokens,
        },
    )


@command.command("versions")
@click.argument("pair", nargs=-1, type=int, metavar="[A B]")
@click.option(
    "--diff", nargs=2, type=int, default=None, metavar="A B", help="Show the changes from version A to version B."
)
@command_options
def versions(invocation: Invocation, pair: tuple[int, ...], diff: tuple[int, int] | None) -> None:
    """List the versions of the prompt, the current one with a *, or show the changes from version A to version B."""
    if pair and (diff is not None or len(pair) != 2):
        raise click.UsageError("Name two versions to compare: prompt versions A B")
    diff = diff or ((pair[0], pair[1]) if pair else None)
    table = invocation.project.prompts
    if diff is not None:
        from engine.prompts.documents import diff_prompts

        text = diff_prompts(table.by_version(diff[0]).prompt, table.by_version(diff[1]).prompt)
        invocation.finish(text or "The two versions are identical.", {"from": diff[0], "to": diff[1], "diff": text})
        return
    rows = table.versions()
    text = in_columns(
        ("version", "hash", "created (UTC)", "note"),
        [
            (
                f"{row.version}{' *' if row.current else ''}",
                row.prompt.sha256[:12],
                row.created_at[:16].replace("T", " "),
                clean_line(row.note),
            )
            for row in rows
        ],
    )
    invocation.finish(
        text or "No prompt yet. Set one: distill-tui prompt set FILE",
        {"versions": _version_rows(invocation, rows) if invocation.json_output else []},
    )


@command.command("remind")
@click.argument("day", required=False, metavar="[YYYY-MM-DD|off]")
@command_options
def remind(invocation: Invocation, day: str | None) -> None:
    """Set a reminder to check the prompt again on a given day, or remove it with `off`.

    Without a day, show the reminder. `status` shows it too, and so does the list of projects once it is due."""
    from datetime import date

    from engine.errors import UsageError
    from engine.status import reminder_json

    settings = invocation.project.settings
    if day is not None:
        try:
            settings.write_reminder("" if day == "off" else date.fromisoformat(day).isoformat())
        except ValueError:
            raise UsageError(
                "Invalid date.", f"{day!r} is not YYYY-MM-DD.", "Pass a date like 2027-03-01, or off."
            ) from None
    kept = settings.remind_on()
    message = f"Reminder to check the prompt: {kept}." if kept else "No reminder is set."
    invocation.finish(message, {"reminder": reminder_json(invocation.project)})


@command.command("try")
@click.argument("questions", nargs=-1)
@click.option(
    "--count", type=click.IntRange(1, 20), default=3, help="Number of stored questions to ask if none is given."
)
@click.option("--stream", is_flag=True, help="With --json, print each answer and note at once, as one object per line.")
@command_options
def try_(invocation: Invocation, questions: tuple[str, ...], count: int, *, stream: bool) -> None:
    """Have the teacher answer QUESTIONS, or a few stored ones, with the prompt. The answers are not stored."""
    from engine.errors import UsageError
    from engine.records.question import Question
    from engine.rules.checks import check_answer
    from engine.teachers.ask import ask
    from engine.teachers.ledger import Ledger

    project = invocation.project
    prompt = project.prompts.require()
    if not all(text.strip() for text in questions):
        raise UsageError("A question is empty.", "", "Pass one: distill-tui prompt try “…”")
    asked = [Question((Message("user", text),)) for text in questions] or list(project.questions.window(0, count))
    if not asked:
        raise UsageError(
            "There are no questions to try.", "The project has none.", "Pass one: distill-tui prompt try “…”"
        )
    rules = project.rules.all()
    spec = project.settings.read().teacher

    def note(text: str) -> None:
        invocation.say(text)
        if stream and invocation.json_output:
            invocation.finish("", {"note": text})

    teacher = ask(spec, invocation.home, on_note=note, on_billed=Ledger(project, spec).bill)
    answers: list[dict[str, object]] = []
    for question in asked:
        answer = teacher((*prompt.messages, *question.messages))
        results = check_answer(rules, answer, question)
        row: dict[str, object] = {
            "question": question.text,
            "answer": answer,
            "rules": [{"id": r.rule_id, "passed": r.passed, "note": r.note} for r in results],
        }
        answers.append(row)
        if stream or not invocation.json_output:
            marks = "  ".join(f"{r.rule_id} {'✓' if r.passed else '✗ ' + r.note}" for r in results)
            invocation.finish(f"> {question.text}\n{answer}\n{marks}\n", row)
    if invocation.json_output and not stream:
        invocation.finish("", {"answers": answers})


@command.command("check")
@click.option(
    "--teacher", "ask_teacher", is_flag=True, help="Also ask the project's endpoint, which may charge for it."
)
@command_options
def check(invocation: Invocation, *, ask_teacher: bool) -> None:
    """Look for problems in the prompt, before you pay for answers. Fails if it finds any.

    Reports demands that are vague, contradictory, untestable or repeated; example turns that break rules; content that
    changes with each request and cannot be distilled; and a length that does not pay off or does not fit. Line numbers
    are those of the prompt's text. Without --teacher, only clear cases are reported. A short prompt is reported too,
    but is no problem.
    """
    from engine.errors import DistillError
    from engine.prompts.findings import check_prompt, findings_text
    from engine.prompts.foreign import unread_language

    found = check_prompt(invocation.project)
    language = "" if ask_teacher else unread_language(invocation.project.prompts.require())
    if ask_teacher:
        from engine.prompts.teacher_review import review_prompt

        review = review_prompt(invocation.project.prompts.require(), endpoint_reviewer(invocation))
        say_left_out(invocation, review.left_out)
        found += review.findings
    text = findings_text(found, language)
    data = {"findings": [dataclasses.asdict(finding) for finding in found], "unread_language": language}
    if not any(finding.is_problem for finding in found):
        invocation.finish(text, data)
        return
    problems = DistillError("The prompt has problems.", "The findings say which.", "Fix them, then check it again.")
    invocation.finish_failed(text, data, problems)


def endpoint_reviewer(invocation: Invocation) -> "Callable[[Sequence[Message]], str]":
    """Return a function that asks the project's endpoint for one long answer at temperature 0.

    Raises UsageError if the project's teacher is local.
    """
    from engine.errors import UsageError
    from engine.teachers.ask import ask
    from engine.teachers.ledger import Ledger

    teacher = invocation.project.settings.read().teacher
    if teacher.kind != "endpoint":
        raise UsageError(
            "There is no teacher to ask.",
            f"The project's teacher is local ({teacher.name}), and too small to review a prompt.",
            "Leave out --teacher, or create a project with --teacher MODEL --base-url URL.",
        )
    billed = Ledger(invocation.project, teacher).bill
    return ask(
        teacher,
        invocation.home,
        temperature=0.0,
        max_tokens=REVIEW_TOKENS,
        on_note=invocation.say,
        on_billed=billed,
    )


def say_left_out(invocation: Invocation, left_out: int) -> None:
    """Report how many of the teacher's findings were left out."""
    if left_out:
        invocation.say(
            f"Left out {left_out} of the teacher's findings: they quote nothing from the prompt, or cannot be checked."
        )


def _answering(project: "Project") -> list["Job"]:
    """Return the jobs that already answer a prompt; one that waits for another generation has not read it yet."""
    jobs = (job for job in project.jobs.live() if job.stage == "examples")
    return [job for job in jobs if job.state != "waiting" or job.total]


def _next(project: "Project") -> str:
    """Return the commands to run after a new version of the prompt, given what the project has."""
    if project.datasets.latest() is not None:
        return "distill-tui update --plan, then distill-tui update"
    if not project.questions.count():
        rules = "" if project.rules.all() else "distill-tui rules import FILE, then "
        return f"{rules}distill-tui questions import FILE"
    return "distill-tui generate" if project.rules.all() else "distill-tui rules import FILE"


def _places(headings: "Sequence[tuple[int, str]]") -> str:
    """Return the different headings and the first of their lines."""
    names = " and ".join(f"“{name}”" for name in dict.fromkeys(name for _, name in headings))
    lines = ", ".join(str(line) for line, _ in headings[:_MOST_LINES])
    return f"{names} on lines {lines}{', …' if len(headings) > _MOST_LINES else ''}"


def _version_rows(invocation: Invocation, rows: "Sequence[PromptVersion]") -> list[dict[str, object]]:
    """Return the versions with their tokens as the student counts them."""
    from engine.economics.tokens import count_tokens_of_prompts

    base = invocation.project.settings.read().student_base
    counts = count_tokens_of_prompts([row.prompt for row in rows], base, invocation.home)
    return [
        {
            "version": row.version,
            "sha256": row.prompt.sha256,
            "note": row.note,
            "created_at": row.created_at,
            "current": row.current,
            "tokens": dataclasses.asdict(count),
        }
        for row, count in zip(rows, counts, strict=True)
    ]


def _counts(invocation: Invocation, prompt: Prompt) -> list[dict[str, object]]:
    from engine.economics.tokens import count_prompt_tokens

    settings = invocation.project.settings.read()
    names = {"student": settings.student_base}
    if settings.teacher.kind == "endpoint":
        names["teacher"] = settings.teacher.model
    return [
        {"of": who, **dataclasses.asdict(count_prompt_tokens(prompt, name, invocation.home))}
        for who, name in names.items()
    ]


def _counts_text(counts: list[dict[str, object]]) -> str:
    """Return the counts in words, in the order of `_counts`; a count that holds for student and teacher only once."""
    texts = [f"{'' if c['exact'] else '≈ '}{c['tokens']} tokens ({c['tokenizer']})" for c in counts]
    if len(set(texts)) == 1:
        return texts[0]
    return ", ".join(f"{text} for the {count['of']}" for text, count in zip(texts, counts, strict=True))

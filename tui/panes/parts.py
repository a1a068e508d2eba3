"""What several panes share: title line, heading, a broken rule in words, next steps, why a job rests. Pure."""

from collections.abc import Sequence

from textual.content import Content

from engine.clean import clean_line, clean_text
from engine.errors import DistillError
from engine.records.evaluation import FinalVerdict
from engine.records.rule import CheckResult
from engine.records.station import StationName
from engine.wording import counted
from tui.keys import key_of
from tui.panes.steps import next_step
from tui.panes.view import View
from tui.services.facts import Facts
from tui.services.job_view import JobView
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, duration, justify, wrap

VERDICTS: dict[FinalVerdict, tuple[str, str]] = {
    "pass": ("✓ pass", GOOD),
    "fail": ("✗ fail", BAD),
    "undecided": ("○ undecided", WARN),
}

Step = tuple[str, str, str]  # as `next_steps` takes it
TO_FREEZE: Step = ("workspace.dataset", "freeze a dataset first", "distill-tui curate freeze")
TO_TRAIN: Step = ("workspace.run", "train a run first", "distill-tui train")
TO_UPDATE: Step = ("workspace.update", "keep what still applies, ask again for the rest", "distill-tui update")
_WAY: tuple[Step, ...] = (
    ("workspace.prompt", "set a prompt first", "distill-tui prompt set FILE"),
    ("workspace.questions", "add questions first", "distill-tui questions import FILE"),
    ("workspace.examples", "generate answers first", "distill-tui generate"),
    ("workspace.curate", "review the answers first", "distill-tui curate check"),
    TO_FREEZE,
    TO_TRAIN,
)


def title(name: str, figure: str, rest: str, width: int) -> list[Content]:
    """The pane's first two lines: its name, its one number, and the detail at the right edge; may be foreign text."""
    left = Content.assemble((name, STRONG), "   ", (clean_line(figure), ACCENT))
    return [justify(left, Content.styled(clean_line(rest), DIM), width), Content("")]


def failure(error: DistillError, width: int) -> list[Content]:
    """What happened, to what, and what to do next."""
    first, *rest = (line for part in (error.title, error.message, error.next) if part for line in wrap(part, width - 2))
    return [
        Content.assemble(("✗ ", BAD), (first, f"{STRONG} {BAD}")),
        *(Content(f"  {line}") for line in rest[:8]),
        Content(""),
    ]


def stale(facts: Facts, name: StationName, width: int) -> list[Content]:
    """Say why what a station has made no longer applies, and what is to be done first; nothing if it applies."""
    note = next((station.note for station in facts.stations if (station.name, station.state) == (name, "stale")), None)
    if note is None:
        return []
    step = next_step(facts, name)
    after = (("   next: ", DIM), (step, ACCENT)) if step else ()
    return [Content.assemble((f"◐ stale: {clean_line(note)}", WARN), *after).truncate(width, ellipsis=True)]


def unread(what: str, error: DistillError | None, width: int, *keys: str) -> list[Content]:
    """Say that something is being read, or why it could not be, with the keys that read it again."""
    if error is None:
        return [Content.styled(f"Reading {what} …", DIM)]
    return [*failure(error, width), Content.assemble((key_of(*keys), ACCENT), (" reads again", DIM))]


def broken_rule(check: CheckResult, text: str) -> str:
    """A broken rule in words: its number, what was found, then the rule's text, which may be cut off."""
    # A colon, because what was found may start with a number too.
    return f"{check.rule_id}: {' · '.join(part for part in (check.note, text) if part)}"


def marked_answer(answer: str, checks: Sequence[CheckResult]) -> Content:
    """An answer with the words that break a rule marked, unless cleaning has moved the positions."""
    clean = clean_text(answer)
    content = Content(clean)
    for span in (span for check in checks if clean == answer for span in check.failing):
        content = content.stylize(f"{BAD} underline", span.start, span.end)
    return content


def first_steps(facts: Facts, last: Step, then: Step) -> tuple[Step, ...]:
    """Return the step that is to do next on the way to `last`; if that is `last` itself, `then` follows."""
    made = (facts.prompt is not None, facts.topics, facts.examples.total, facts.examples.accepted, facts.dataset)
    furthest = max((index for index, found in enumerate(made, start=1) if found), default=0) if facts.prompt else 0
    first = _WAY[min(furthest, _WAY.index(last))]
    return (first, then) if first == last else (first,)


def older_answers_text(count: int) -> str:
    """Say that the only answers are to an older version of the prompt."""
    return f"{counted(count, 'answer')} {'is' if count == 1 else 'are'} to an older version of the prompt"


def ways_from_older(*, updates: bool, leave: str = "") -> tuple[Step, ...]:
    """Return the ways on from there. `updates`: an update keeps what still applies; `leave`: pressed first."""
    there = f"{leave} workspace.examples " if leave else ""
    back = f"go back to that version: {key_of('versions.make_current')} makes it current"
    ways = (
        (f"{leave} {TO_UPDATE[0]}", *TO_UPDATE[1:]),
        (f"{there}examples.generate", "generate answers to this version", "distill-tui generate"),
        (f"{leave} workspace.prompt prompt.versions", back, ""),
    )
    return ways if updates else ways[1:]


def heading(text: str) -> Content:
    """A dim heading above a block."""
    return Content.styled(text, DIM)


def rests(view: View, job: JobView) -> str:
    """Why a live job is not working, or soon will not be; empty while it works. Its keys hold in every pane."""
    resume = key_of("workspace.resume")
    if is_ending(view, job):
        return f"■ stopping   at its next safe point; then {resume} resumes it"
    if job.state == "paused":
        return f"‖ paused   {resume} resumes it, {key_of('workspace.stop')} stops it"
    if job.live and view.facts.asked.get(job.job_id) == "pausing":
        return f"‖ pausing   at its next safe point; {resume} lets it continue"
    return f"○ waiting   {job.state_note}" if job.state == "waiting" else ""


def is_ending(view: View, job: JobView) -> bool:
    """Whether the job was asked to stop but has not stopped yet."""
    return job.live and job.job_id in view.facts.ending


def working(job: JobView | None, station: str) -> JobView | None:
    """The job, if it is working on this station."""
    return job if job is not None and job.station == station and (job.live or job.streams) else None


def pace(job: JobView, *, ending: bool = False) -> str:
    """Done of total, answers per minute, time left: whatever is known. `ending`: it will stop before its end."""
    parts: list[str] = []
    if job.progress is not None and job.progress.total:
        parts.append(f"{job.progress.done:,} of {job.progress.total:,}")
    if job.live and job.answers_per_minute is not None:
        parts.append(f"{job.answers_per_minute:.0f} per minute")
    if job.live and not ending and job.seconds_left is not None:
        parts.append(f"{duration(job.seconds_left)} left")
    return "   ".join(parts)

"""The list of projects as lines: a window around the cursor, details of the row under it, and the welcome text."""

from datetime import UTC, datetime
from pathlib import Path

from textual.content import Content

from engine.clean import clean_line
from engine.wording import counted, percent
from tui.keys import key_of
from tui.screens.start.state import StartState
from tui.services.projects import ProjectSummary
from tui.widgets.lines import ACCENT, BAD, DIM, JOB_MARKS, STRONG, WARN, duration, fit, justify, right, shorten, wrap
from tui.widgets.listing import numbered
from tui.widgets.next_steps import next_steps
from tui.widgets.rows import window

_WIDE = 100  # from this width on, status and running jobs have separate columns
_DUE = "! review the prompt"  # its reminder is due
_AGE = 12

WELCOME = (
    "A long system prompt costs tokens on every request.",
    "Distil it into a local model once: a teacher answers with the prompt,",
    "a student learns without it, and an evaluation checks every rule.",
)


def header(state: StartState, width: int) -> Content:
    """The title and counts."""
    listed = len(state.projects or ())
    figures = [Content(counted(listed - state.archived, "project"))] if listed else []
    if state.active:
        figures.append(Content.styled(f"● {state.active} active", ACCENT))
    if state.archived:
        figures.append(Content.styled(f"{state.archived} archived", DIM))
        if width >= _WIDE:
            figures[-1] += Content.assemble(
                "  ", (key_of("start.archived"), ACCENT), (" hide" if state.archived_shown else " show", DIM)
            )
    return justify(
        Content.assemble(("distill-tui", DIM), "   ", ("projects", STRONG)), Content("   ").join(figures), width
    )


def body(state: StartState, width: int, height: int, now: datetime) -> list[Content]:
    """The list in `height` rows, or the text shown instead."""
    if state.trouble:
        return [Content.styled(line, WARN) for line in wrap(state.trouble, width)]
    if state.projects is None:
        return [Content.styled("Reading the projects …", DIM)]
    if not state.projects:
        return welcome(width)
    rows = state.rows
    if not rows:
        return [_nothing_listed(state)]
    return [
        numbered(_row(rows[line], line == state.at, width, now), line) for line in window(state.at, height, len(rows))
    ]


def welcome(width: int) -> list[Content]:
    """What the program is for, and the two ways to start."""
    fits = all(len(line) <= width for line in WELCOME)
    lines = [Content(line) for line in (WELCOME if fits else wrap(" ".join(WELCOME), width))]
    return [
        *lines,
        Content(""),
        Content.styled("No projects yet.", STRONG),
        Content(""),
        *next_steps(
            ("start.new", "create one: a name, a student, a teacher, a prompt", "distill-tui new NAME"),
            ("start.demo", "run the demo, which distils a bundled prompt", "distill-tui demo"),
        ),
    ]


def about(state: StartState, width: int, height: int) -> list[Content]:
    """The work in progress, or the row under the cursor: its problem in full, else its folder."""
    if state.busy:
        return [Content.styled(shorten(state.busy, width), ACCENT)]
    project = state.chosen
    if project is None:
        return []
    if project.trouble:
        return [Content.styled(line, WARN) for line in wrap(tilde(project.trouble), width)[:height]]
    return [Content.styled(shorten(tilde(str(project.folder)), width), DIM)]


def tilde(text: str) -> str:
    """A path with the home folder as ~."""
    return text.replace(f"{Path.home()}/", "~/")


def ago(changed_at: str, now: datetime) -> str:
    """How long ago that was, in one unit; a date if long ago."""
    then = datetime.fromisoformat(changed_at).astimezone(UTC)
    minutes = int((now - then).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 24 * 60:
        return f"{minutes // 60} h ago"
    days = minutes // (24 * 60)
    return f"{counted(days, 'day')} ago" if days <= 30 else f"{then:%Y-%m-%d}"


def running(project: ProjectSummary, width: int) -> Content:
    """The live jobs in at most `width` cells: the newest, and the number of others."""
    job = project.jobs[-1]
    share = percent(job.done / job.total) if job.total else ""
    mark, style = JOB_MARKS.get(job.state, ("●", ACCENT))
    words = f"{mark} {job.kind} {share if job.state == 'running' else job.state}".rstrip()
    more = [f"{duration(job.seconds_left)} left"] if job.state == "running" and job.seconds_left is not None else []
    more += [f"+{len(project.jobs) - 1} more"] if len(project.jobs) > 1 else []
    for word in more:
        words += f"   {word}" if len(words) + 3 + len(word) <= width else ""
    return Content.styled(fit(words, width), style)


def _row(project: ProjectSummary, here: bool, width: int, now: datetime) -> Content:
    name = max(width // 4, 20)
    rest = width - 2 - name - 2 - 2 - _AGE
    age = right(ago(project.changed_at, now), _AGE)
    return Content.assemble(
        ("▌ " if here else "  ", ACCENT),
        (fit(project.name, name), STRONG if here else DIM if project.archived else ""),
        "  ",
        _middle(project, rest, wide=width >= _WIDE),
        (f"  {age}", DIM),
    )


def _middle(project: ProjectSummary, width: int, *, wide: bool) -> Content:
    if project.trouble:
        first_sentence = f"{project.trouble.split('. ')[0].removesuffix('.')}."
        return Content.styled(fit(f"! {first_sentence}", width), WARN)
    stands = f"{project.station}: {project.note}" if project.station else "empty"
    quiet = DIM if project.archived or not project.station else ""
    if project.jobs and not wide:
        return running(project, width)
    failed = f"✗ {project.failed.words}" if project.failed is not None else ""
    aside = "archived" if project.archived else failed or (_DUE if project.due else "")
    beside = (width - 2) // 2 if wide else len(aside)
    if project.jobs:
        last = running(project, beside)
    else:
        last = Content.styled(fit(aside, beside), BAD if failed and aside == failed else WARN if aside == _DUE else DIM)
    return Content.assemble((fit(stands, width - beside - 2), quiet), "  ", last)


def _nothing_listed(state: StartState) -> Content:
    if state.search:
        return Content.assemble(
            "No name contains ",
            (f"“{clean_line(state.search)}”", STRONG),
            ".  ",
            (key_of("start.back"), ACCENT),
            (" show all", DIM),
        )
    return Content.assemble("Every project is archived.  ", (key_of("start.archived"), ACCENT), (" show them", DIM))

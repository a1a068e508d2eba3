"""The jobs of a project as lines, the one under the cursor with its full reason; or its log. Pure."""

from collections import Counter

from textual.content import Content

from engine.records.job import LIVE_STATES, Job, state_word
from engine.wording import counted
from tui.advice import in_app
from tui.keys import key_of
from tui.screens.jobs.state import JobsState
from tui.services.jobs import JobRow
from tui.widgets.lines import (
    ACCENT,
    DIM,
    ENDING,
    JOB_MARKS,
    STRONG,
    duration,
    fit,
    format_time,
    justify,
    right,
    shorten,
    wrap,
)
from tui.widgets.listing import numbered

_NUMBER, _KIND, _STATE, _WORKED, _BEGAN = 5, 12, 9, 11, 16  # cells
_DONE_AT_LEAST = 15  # more for numbers that need more
_NOTE_AT, _NOTE_LINES = 11, 12


def draw(state: JobsState, width: int) -> list[Content]:
    """Draw the screen."""
    row = state.row
    if state.log is not None and row is not None:
        return _log(row.job, state.log, width)
    head = Content.assemble(("Jobs", STRONG), "   ", (_figures(state), ACCENT))
    lines = [justify(head, Content.assemble((key_of("jobs.leave"), ACCENT), (" back", DIM)), width), Content("")]
    if state.rows is None:
        return [*lines, Content.styled("Reading the jobs …", DIM)]
    if not state.rows:
        return [*lines, Content("No jobs yet: everything that takes a while runs as a job and is listed here.")]
    done = max(_DONE_AT_LEAST, *(len(_done(row.job)) + 2 for row in state.rows))
    lines.append(_heading(done, width))
    for at, row in enumerate(state.rows):
        lines += [numbered(line, at) for line in _row(row, done, width, here=at == state.cursor)]
    return lines


def _figures(state: JobsState) -> str:
    counts = Counter(job.state for job in state.at_work)
    parts = [f"{counts[name]} {name}" for name in ("running", "paused", "waiting") if counts[name]]
    if parts or state.rows is None:
        return ", ".join(parts)
    return counted(len(state.rows), "job") if state.rows else "none yet"


def _done(job: Job) -> str:
    return f"{job.done:,} of {job.total:,}" if job.total else ""


def _heading(done: int, width: int) -> Content:
    columns = right("job", _NUMBER) + "  " + fit("kind", _KIND) + fit("state", _STATE) + right("done", done)
    columns += right("worked", _WORKED) + "  " + fit("created (UTC)", _BEGAN)
    return Content.styled(("    " + columns)[: _room(done, width)].rstrip(), DIM)


def _room(done: int, width: int) -> int:
    """The width of the columns that fit completely; the rest are left out."""
    ends = [4 + _NUMBER + 2 + _KIND + _STATE + done]
    ends += [ends[0] + _WORKED, ends[0] + _WORKED + 2 + _BEGAN]
    return max((end for end in ends if end <= width), default=width)


def _row(row: JobRow, done: int, width: int, *, here: bool) -> list[Content]:
    job = row.job
    mark, style = ENDING if row.asked == "stopping" else JOB_MARKS["paused" if row.asked else job.state]
    state = row.asked or state_word(job.state)
    quiet = "" if job.state in LIVE_STATES else DIM
    line = Content.assemble(
        ("▌ " if here else "  ", ACCENT),
        (mark, style),
        " ",
        (right(str(job.id), _NUMBER), DIM),
        "  ",
        (fit(job.kind, _KIND), STRONG if here else quiet),
        (fit(state, _STATE), style if state != "running" else ""),
        (right(_done(job), done), DIM),
        (right(duration(row.seconds) if row.seconds else "–", _WORKED), quiet),
        "  ",
        (fit(format_time(job.created_at), _BEGAN), DIM),
    )
    line = line[: _room(done, width)]
    if not here:
        room = width - line.cell_length - 3
        return [Content.assemble(line, "  ", (shorten(in_app(job.note), room), DIM)) if room > 12 else line]
    note = wrap(in_app(job.note), max(width - _NOTE_AT - 1, 20))[:_NOTE_LINES] if job.note else []
    return [line, *(Content(" " * _NOTE_AT + words) for words in note)]


def _log(job: Job, log: str, width: int) -> list[Content]:
    head = Content.assemble(("Log", STRONG), "   ", (f"job {job.id}, {job.kind}", ACCENT))
    keys = Content.assemble((key_of("jobs.leave"), ACCENT), (" back", DIM))
    lines = [justify(head, keys, width), Content("")]
    if not log.strip():
        return [*lines, Content.styled("The log is empty.", DIM)]
    return [*lines, *(Content(line) for line in wrap(log.rstrip("\n"), width))]

"""Lines of an exact width in terminal cells: the building blocks of all panes.

The one place where foreign text becomes `Content`: it is cleaned, never parsed as markup. Knows no widget.
"""

from collections.abc import Sequence

from rich.cells import cell_len, chop_cells, set_cell_size
from textual.content import Content

from engine.clean import clean_line, clean_text
from engine.records.job import JobState
from engine.records.station import StationState
from engine.wording import duration as duration

DIM = "dim"  # an attribute, not a colour: it works with the terminal's own colours, and without any
ACCENT = "$text-accent"
GOOD = "$text-success"
BAD = "$text-error"
WARN = "$text-warning"
STRONG = "bold"

# A mark has one meaning on every page, and alone shows the state; colour only repeats it.
#   ✓ done, accepted, or it holds    ✗ failed, rejected, refused, or it does not hold
#   ○ not yet: begun, decided, answered, checked, saved or chosen    ● now: at work, or the one in effect
#   ◐ stale: made from something older    ! look at this first    – there is none
#   ‖ paused    ■ stopped, or stopping    ⚑ flagged    ◆ marked for the next key    ▲ ▼ better, worse
MARKS: dict[StationState, tuple[str, str]] = {
    "empty": ("–", DIM),
    "ready": ("○", ""),
    "running": ("●", ACCENT),
    "done": ("✓", GOOD),
    "stale": ("◐", WARN),
    "failed": ("✗", BAD),
}
JOB_MARKS: dict[JobState, tuple[str, str]] = {
    "waiting": ("○", WARN),
    "running": ("●", ACCENT),
    "paused": ("‖", WARN),
    "done": ("✓", DIM),
    "stopped": ("■", WARN),
    "failed": ("✗", BAD),
    "lost": ("✗", BAD),
}
ENDING = ("■", WARN)  # replaces the mark of a running job once it was asked to stop


def fit(text: str, width: int) -> str:
    """Return foreign text on one line of exactly `width` cells, cut with … or padded."""
    line = clean_line(text)
    if cell_len(line) > width:
        line = set_cell_size(line, max(width - 1, 0)).rstrip() + "…" if width > 0 else ""
    return set_cell_size(line, max(width, 0))


def shorten(text: str, width: int) -> str:
    """Like `fit`, without the padding."""
    return fit(text, width).rstrip()


def right(text: str, width: int) -> str:
    """Return text right-aligned in `width` cells."""
    return " " * max(width - cell_len(text), 0) + text


def wrap(text: str, width: int) -> list[str]:
    """Break foreign text at spaces into lines of at most `width` cells; its own line breaks stay."""
    lines: list[str] = []
    for paragraph in clean_text(text).replace("\t", "    ").split("\n"):
        line = ""
        for word in paragraph.split(" "):
            candidate = f"{line} {word}" if line else word
            if cell_len(candidate) <= width:
                line = candidate
                continue
            if line:
                lines.append(line)
            *full, line = chop_cells(word, max(width, 1)) or [word]  # no chunks if the text has no width
            lines.extend(full)
        lines.append(line)
    return lines


def justify(left: Content, rest: Content, width: int) -> Content:
    """Put `left` at the left edge and `rest` at the right edge; drop `rest` if both do not fit."""
    gap = width - left.cell_length - rest.cell_length
    if gap < 2:
        return left.truncate(width, ellipsis=True)
    return Content.assemble(left, " " * gap, rest)


def flow(parts: Sequence[Content], gap: str, width: int) -> list[Content]:
    """Lay out pieces on lines of `width` cells; lines break between pieces, never within one."""
    lines: list[Content] = []
    for part in parts:
        if lines and lines[-1].cell_length + cell_len(gap) + part.cell_length <= width:
            lines[-1] = Content.assemble(lines[-1], gap, part)
        else:
            lines.append(part)
    return lines


def dollars(value: float, of: float | None = None) -> str:
    """Format US dollars with as many digits as are useful; `of`: the column's largest amount, which decides for all."""
    largest = value if of is None else of
    if largest >= 1e15:
        return f"${value:.1e}"
    for size, unit, word in ((1e12, 1e12, "T"), (1e9, 1e9, "B"), (1e7, 1e6, "M")):
        if largest >= size:
            return f"${value / unit:,.1f} {word}"
    small = 0.001 if of is None else 0.01  # a column has smaller amounts, which must stay distinct
    digits = 0 if largest >= 10_000 else 2 if largest >= 0.1 or largest == 0 else 4 if largest >= small else 6
    smallest = 10.0**-digits
    return f"< ${smallest:,.{digits}f}" if 0 < value < smallest / 2 else f"${value:,.{digits}f}"


def format_time(iso: str) -> str:
    """Format a stored time to the minute, always in UTC."""
    return clean_line(iso[:16].replace("T", " "), 16)

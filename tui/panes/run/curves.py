"""The charts of a run: validation KL, passing answers and training loss, with other runs overlaid.

Pure: turns curves and the user's view settings into lines of `Content`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from textual.content import Content

from engine.wording import passed_of, percent
from tui.panes.run.state import value_at
from tui.services.job_view import Curve
from tui.widgets.chart import MARKER, NOBODY, Cell, Line, plot, smooth, span, thinned
from tui.widgets.lines import ACCENT, DIM, WARN, fit, right, shorten

AXIS = 8  # cells left of a chart: its label and its edge
_NARROW = 72  # cells; below this there is no room for the training loss
# The dash pattern of each overlay's line, so that it can be told from the others without colour.
_BREAKS = ((3, 3), (1, 2), (6, 2))
_KEYS = ("╌╌", "┄┄", "╍╍")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One run's curves, and what the table under the charts says about it."""

    name: str
    curves: dict[str, Curve]
    asked: Mapping[float, int]  # step → number of sampled answers behind each share
    letter: str = ""  # empty for the run that the page shows
    measure: str = "validation KL"  # what the validation measures


@dataclass(frozen=True, slots=True)
class Look:
    """How the user views the charts."""

    log: bool = False
    smoothing: float = 0.0
    cursor: int | None = None


@dataclass(frozen=True, slots=True)
class _Quantity:
    label: str
    name: str
    share: bool = False  # a rate from 0 to 1; the axis always covers that whole range
    short: str = ""  # label for when there is little room
    cell: int = 14  # width of a value with its step, in cells


_QUANTITIES = (
    _Quantity("validation KL", "validation_kl"),
    _Quantity("answers pass", "all_rules", share=True, cell=20),
    _Quantity("training loss", "loss", short="loss"),
)


def charts(runs: Sequence[Drawn], look: Look, steps: int, width: int, rows: int) -> list[Content]:
    """Return three charts side by side, or two if there is no room: a name, `rows` lines and the step axis each.

    `runs[0]` is the run that the page shows; the others are overlaid.
    """
    shown = _named(runs) if width >= _NARROW else _named(runs)[:2]
    gap = 2
    cell = (width - gap * (len(shown) - 1)) // len(shown)
    furthest = max((curve.steps[-1] for run in runs for curve in run.curves.values() if curve.steps), default=0.0)
    blocks = [_block(quantity, runs, look, max(steps, round(furthest), 1), cell, rows) for quantity in shown]
    return [Content(" " * gap).join(parts) for parts in zip(*blocks, strict=True)]


def values(runs: Sequence[Drawn], look: Look, width: int) -> list[Content]:
    """Return one line per run with its values at the cursor, or at the end; also serves as the charts' legend."""
    where = "at the end" if look.cursor is None else f"at step {look.cursor}"
    quantities = _named(runs)
    label = width - sum(quantity.cell for quantity in quantities)
    lines = [
        Content.styled(
            fit(where, label) + "".join(right(each.short or each.label, each.cell) for each in quantities), DIM
        )
    ]
    for index, run in enumerate(runs):
        style = _style(index)
        mark = f"{_KEYS[index - 1]} {run.letter}  " if index else "──    "
        figures = [_figure(quantity, run, look.cursor) for quantity in quantities]
        lines.append(
            Content.assemble((mark, style), shorten(run.name, label - len(mark)).ljust(label - len(mark)), *figures)
        )
    return lines


def _named(runs: Sequence[Drawn]) -> tuple[_Quantity, ...]:
    first, *others = _QUANTITIES
    return replace(first, label=runs[0].measure), *others


def _block(quantity: _Quantity, runs: Sequence[Drawn], look: Look, steps: int, width: int, rows: int) -> list[Content]:
    columns = max(width - AXIS, 4)
    log = look.log and not quantity.share
    x_range = 0.0, float(steps)

    def line(index: int, values: Sequence[float] | None = None) -> Line:
        """One run's line, thinned to the points that dots can show: thousands would be drawn five times a second."""
        on, off = _BREAKS[index - 1] if index else (1, 0)
        curve = runs[index].curves[quantity.name]
        xs, ys = thinned(curve.steps, curve.values if values is None else values, columns=columns, x_range=x_range)
        return Line(xs, ys, on, off, runs[index].letter)

    lines = [line(index) for index in range(len(runs))]
    y_range = (0.0, 1.0) if quantity.share else span([y for each in lines for y in each.ys], log=log)
    smoothed = quantity.name == "loss" and look.smoothing > 0
    raw = lines[0]
    if smoothed:
        measured = [run.curves[quantity.name].values for run in runs]
        lines = [line(index, smooth(ys, look.smoothing)) for index, ys in enumerate(measured)]
        lines.append(raw)  # the measured points, behind everything else
    drawn = plot(lines, columns=columns, rows=rows, x_range=x_range, y_range=y_range, log=log, marker=look.cursor)
    known = bool(raw.ys)
    marks = {0: _level(y_range[1], quantity), rows - 1: _level(y_range[0], quantity)} if known else {}
    head = f"loss, smooth {look.smoothing:g}" if smoothed else quantity.label
    head += ", log" if log else ""
    newest = value_at(runs[0].curves[quantity.name], None)
    figure = "" if newest is None else _value(quantity, runs[0], *newest)
    page = [Content.assemble((fit(head, max(width - len(figure) - 1, 4)), DIM), " ", (figure, ACCENT))]
    for index, row in enumerate(drawn):
        edge = "┤" if index in marks else "│"
        page.append(
            Content.assemble((f"{right(marks.get(index, ''), AXIS - 2)} {edge}", DIM), *_painted(row, len(runs)))
        )
    return [*page, _steps(columns, steps, look.cursor)]


def _painted(row: Sequence[Cell], runs: int) -> list[tuple[str, str]]:
    """The cells of one row with their colours; neighbours of one colour are joined."""
    parts: list[tuple[str, str]] = []
    for cell in row:
        style = DIM if cell.owner in (MARKER, NOBODY) or cell.owner >= runs else _style(cell.owner)
        if parts and parts[-1][1] == style:
            parts[-1] = (parts[-1][0] + cell.text, style)
        else:
            parts.append((cell.text, style))
    return parts


def _steps(columns: int, steps: int, cursor: int | None) -> Content:
    """The labels under the x axis: both ends, and the cursor's step if there is room between them."""
    first, last = "0", f"{steps:,}"
    line = first + right(last, columns - len(first))
    if cursor is not None:
        text = f"{cursor:,}"
        at = round(cursor / steps * (columns - 1)) - len(text) // 2
        at = max(0, min(at, columns - len(text)))
        over = line[max(at - 1, 0) : at + len(text) + 1]
        if not over.strip():
            left, rest = line[:at], line[at + len(text) :]
            return Content.assemble((" " * AXIS + left, DIM), (text, ACCENT), (rest, DIM))
    return Content.styled(" " * AXIS + line, DIM)


def _style(index: int) -> str:
    return ACCENT if index == 0 else WARN if index == 1 else ""


def _figure(quantity: _Quantity, run: Drawn, cursor: int | None) -> Content:
    """A value, with the step at which it was measured if that is not the cursor's."""
    found = value_at(run.curves[quantity.name], cursor)
    if found is None:
        return Content.styled(right("–", quantity.cell), DIM)
    step, value = found
    text = _value(quantity, run, step, value)
    before = f"({step:,.0f}) " if cursor is not None and step != cursor else ""
    return Content.assemble((right(before, quantity.cell - len(text)), DIM), text)


def _value(quantity: _Quantity, run: Drawn, step: float, value: float) -> str:
    """A value for display; a share as the number of answers that pass."""
    if not quantity.share:
        return f"{value:.3f}"
    return passed_of(value, run.asked[step])


def _level(value: float, quantity: _Quantity) -> str:
    return percent(value) if quantity.share else "0" if value == 0 else f"{value:.2g}"

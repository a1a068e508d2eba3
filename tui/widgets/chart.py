"""Line charts in braille dots: two columns and four rows of dots per cell. Pure; knows no colour and no widget."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_BASE = 0x2800
# The bit of each dot in a cell, by column and by row from the top.
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_NOTHING = 1e-300  # a tenth of any larger value is still above 0
NOBODY, MARKER = -1, -2  # the owner of a cell that belongs to no line


@dataclass(frozen=True, slots=True)
class Line:
    """Points joined by straight lines. `on`, `off`: how many dots are alternately drawn and left out."""

    xs: Sequence[float]
    ys: Sequence[float]
    on: int = 1
    off: int = 0
    letter: str = ""  # drawn at the last point


@dataclass(frozen=True, slots=True)
class Cell:
    """One character, and the index of the line that it belongs to, or `NOBODY`, or `MARKER`."""

    text: str
    owner: int


def plot(
    lines: Sequence[Line],
    *,
    columns: int,
    rows: int,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    log: bool = False,
    marker: float | None = None,
) -> list[list[Cell]]:
    """Draw the lines over each other, as `rows` lists of `columns` cells, top row first.

    The first line is on top, and letters are above all lines. Points outside the ranges are moved to the edge. A single
    point is one dot; without points nothing is drawn. `log`: the y axis is logarithmic, and `y_range` starts above 0.
    `marker`: a thin vertical line at this x, behind all others.
    """
    bits = [[0] * columns for _ in range(rows)]
    owners = [[NOBODY] * columns for _ in range(rows)]
    letters: dict[tuple[int, int], Cell] = {}
    low, high = (_level(bound, log) for bound in y_range)
    for index in reversed(range(len(lines))):
        line = lines[index]
        dots = [
            (
                _scale(x, *x_range, 2 * columns - 1),
                4 * rows - 1 - _scale(_level(y, log), low, high, 4 * rows - 1),
            )
            for x, y in zip(line.xs, line.ys, strict=True)
        ]
        for number, (x, y) in enumerate(_joined(dots)):
            if number % (line.on + line.off) < line.on:
                row, column = y // 4, x // 2
                # If two lines share a cell, only the upper one is drawn, so that its shape stays readable.
                kept = bits[row][column] if owners[row][column] == index else 0
                bits[row][column] = kept | _BITS[x % 2][y % 4]
                owners[row][column] = index
        if line.letter and dots:
            letters[dots[-1][1] // 4, dots[-1][0] // 2] = Cell(line.letter, index)
    marked = _scale(marker, *x_range, 2 * columns - 1) // 2 if marker is not None else -1
    drawn: list[list[Cell]] = []
    for row in range(rows):
        cells = []
        for column in range(columns):
            owner = owners[row][column]
            cell = Cell(chr(_BASE + bits[row][column]), owner)
            if owner == NOBODY:
                cell = Cell("│", MARKER) if column == marked else Cell(" ", NOBODY)
            cells.append(letters.get((row, column), cell))
        drawn.append(cells)
    return drawn


def thinned(
    xs: Sequence[float], ys: Sequence[float], *, columns: int, x_range: tuple[float, float]
) -> tuple[list[float], list[float]]:
    """Reduce points, sorted by x, to those that decide which dots are drawn.

    These are the first, lowest, highest and last in each column of dots; all others are between them.
    """
    (low, high), top = x_range, 2 * columns - 1
    few = 4 * (top + 1)
    if len(xs) <= few or high <= low:
        return list(xs), list(ys)
    kept: list[int] = []
    start = 0
    for column in range(top + 1):
        end = bisect_right(xs, column, start, key=lambda x: _scale(x, low, high, top))
        if start < end:
            part = ys[start:end]
            kept += sorted({start, start + part.index(min(part)), start + part.index(max(part)), end - 1})
            start = end
    return [xs[place] for place in kept], [ys[place] for place in kept]


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Return the exponential moving average; each older value counts `weight` times the next one's weight.

    The start is not biased towards 0: the weights of the values so far always sum to 1. A weight of 0 changes nothing.
    """
    smoothed: list[float] = []
    total = share = 0.0
    for value in values:
        total = weight * total + (1 - weight) * value
        share = weight * share + (1 - weight)
        smoothed.append(total / share)
    return smoothed


def span(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    """Return the range of a y axis: from 0, or on a log axis from the smallest value above 0, to the largest."""
    above = [value for value in values if value > _NOTHING]
    high = max(above, default=1.0)
    if not log:
        return 0.0, high
    low = min(above, default=0.1)
    return (low, high) if low < high else (high / 10, high)


def _joined(dots: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Every dot along the straight lines between neighbouring points, each once."""
    path = list(dots[:1])
    for start, end in pairwise(dots):
        length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
        path += [
            (
                start[0] + round((end[0] - start[0]) * part / length),
                start[1] + round((end[1] - start[1]) * part / length),
            )
            for part in range(1, length + 1)
        ]
    return path


def _level(value: float, log: bool) -> float:
    """A value's position on its axis; on a logarithmic one everything not above 0 is at the bottom."""
    if not log:
        return value
    return math.log10(value) if value > 0 else -math.inf


def _scale(value: float, low: float, high: float, top: int) -> int:
    if high <= low:
        return 0
    return round(max(0.0, min((value - low) / (high - low), 1.0)) * top)

"""A line chart in braille dots: two columns and four rows of dots a cell. Pure; knows neither colour nor widget."""

from collections.abc import Sequence

_BASE = 0x2800
# The bit of each dot in a cell, by column and by row from the top.
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def chart(
    xs: Sequence[float],
    ys: Sequence[float],
    *,
    columns: int,
    rows: int,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> list[str]:
    """Join the points by straight lines and return `rows` strings of `columns` cells, the top row first.

    Points outside the ranges are moved to the edge. A single point is one dot; no point is an empty chart.
    """
    cells = [[0] * columns for _ in range(rows)]
    dots = [
        (
            _scale(x, *x_range, 2 * columns - 1),
            4 * rows - 1 - _scale(y, *y_range, 4 * rows - 1),
        )
        for x, y in zip(xs, ys, strict=True)
    ]
    for start, end in zip(dots, dots[1:] or dots, strict=False):
        length = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for part in range(length + 1):
            x = start[0] + round((end[0] - start[0]) * part / length)
            y = start[1] + round((end[1] - start[1]) * part / length)
            cells[y // 4][x // 2] |= _BITS[x % 2][y % 4]
    return ["".join(chr(_BASE + cell) if cell else " " for cell in row) for row in cells]


def _scale(value: float, low: float, high: float, top: int) -> int:
    if high <= low:
        return 0
    return round(max(0.0, min((value - low) / (high - low), 1.0)) * top)

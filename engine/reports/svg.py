"""Charts and intervals as inline SVG, coloured by the page's own style sheet. Pure.

Lines differ in colour, dashes and the shape of their points. Hovering over a point shows its figures, which are in a
table as well.
"""

import math
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from engine.reports.document import Chart, Mark, Measured, Role, Series, Unit
from engine.reports.markup import element, short
from engine.reports.numbers import measured, nats, share, usd
from engine.wording import percent

WIDTH, HEIGHT = 460.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 14.0, 8.0, 30.0
_MARK_ROW = 21.0  # for the name of each mark, above the lines
_LETTER = 7.0  # approximate width of a letter
_MOST_POINTS = 40  # points are drawn only on lines with no more than this
_LEVELS = 4
_LEAST = 1e-9  # an axis reaches at least this far
AXIS = 200.0  # units from 0 to 100 % in a row of intervals
_ARM, _PAD = 9.0, 5.0  # units of height per arm, and above and below
_DIAMOND = ((0, -1), (1, 0), (0, 1), (-1, 0))
# Offsets of a point's corners, right of and below its centre.
_CORNERS: dict[Role, tuple[tuple[int, int], ...]] = {
    "fourth": _DIAMOND,
    "fifth": ((0, -1), (1, 1), (-1, 1)),
    "sixth": ((-1, -1), (1, -1), (0, 1)),
    "seventh": _DIAMOND,
}


def line_chart(chart: Chart) -> Element:
    """The chart with its axes from 0, its lines and its marks."""
    xs = [x for series in chart.series for x in series.xs] + [mark.x for mark in chart.marks]
    ys = [y for series in chart.series for y in series.ys]
    top = 1.0 if chart.unit == "share" else _reach(ys)
    levels = ticks(top, _LEVELS)
    right, high = _reach(xs), max(top, levels[-1])
    top_edge = _TOP + _MARK_ROW * len(chart.marks)
    plot = _Plot(right, high, top_edge)
    svg = element(
        "svg",
        element("title", f"{chart.title}, by {chart.x_name}"),
        viewBox=f"0 0 {short(WIDTH)} {short(HEIGHT)}",
        role="img",
        class_="chart",
    )
    for level in levels:
        y = plot.y(level)
        svg.append(element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_="grid" if level else "base"))
        svg.append(element("text", _level(level, chart.unit, levels[1]), x=_LEFT - 8, y=y + 4, class_="tick y"))
    for place in ticks(right, 5):
        if plot.x(place) < WIDTH - _RIGHT - _LETTER * (min(len(chart.x_name), 8) + 2):
            svg.append(element("text", f"{place:,g}", x=plot.x(place), y=HEIGHT - 10, class_="tick x"))
    svg.append(element("text", chart.x_name, x=WIDTH - _RIGHT, y=HEIGHT - 10, class_="tick end"))
    for row, mark in enumerate(chart.marks):
        svg.append(_mark(mark, plot, _TOP + _MARK_ROW * row))
    for series in sorted(chart.series, key=lambda series: series.role == "main"):  # the report's own run is on top
        svg.append(_line(series, plot, chart))
    return svg


def _mark(mark: Mark, plot: "_Plot", y: float) -> Element:
    """A vertical line through the chart, its name at the top, and its range below the name."""
    x = plot.x(mark.x)
    before = x > WIDTH * 0.62
    made = element(
        "g",
        element("line", x1=x, x2=x, y1=y, y2=HEIGHT - _BOTTOM, class_="mark"),
        element("text", mark.name, x=x - 5 if before else x + 5, y=y + 9, class_="tick end" if before else "tick"),
    )
    if mark.low is not None and mark.low != mark.high:
        edge = WIDTH - _RIGHT
        low = min(plot.x(mark.low), edge)
        high = edge if mark.high is None else min(plot.x(mark.high), edge)
        made.append(element("line", x1=low, x2=high, y1=y + 14, y2=y + 14, class_="between"))
        for end in (low, high):
            if end < edge:
                made.append(element("line", x1=end, x2=end, y1=y + 11.5, y2=y + 16.5, class_="between"))
    return made


def _reach(values: Sequence[float]) -> float:
    """How far an axis goes; always far enough to divide by."""
    highest = max(filter(math.isfinite, values), default=0.0)
    return highest if highest >= _LEAST else 1.0


class _Plot:
    """Maps values to positions on the page."""

    def __init__(self, right: float, high: float, top: float) -> None:
        self._right, self._high, self._top = right, high, top

    def x(self, value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * value / self._right

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - self._top - _BOTTOM) * value / self._high


def _line(series: Series, plot: _Plot, chart: Chart) -> Element:
    places = [
        (plot.x(x), plot.y(y), x, y)
        for x, y in zip(series.xs, series.ys, strict=True)
        if math.isfinite(x) and math.isfinite(y)
    ]
    group = element("g", element("title", series.name), class_=f"series {series.role}")
    if len(places) > 1:
        group.append(element("path", d=_path((x, y) for x, y, _, _ in places), class_="line"))
    if len(places) <= _MOST_POINTS:
        for x, y, at, value in places:
            words = f"{series.name}, {chart.x_name} {at:,g}: {_figure(value, chart.unit)}"
            group.append(_point(series.role, x, y, 3.2, words))
    return group


def key(name: str, role: Role, *, line: bool) -> Element:
    """A sample of the line or point of this role, followed by its name."""
    mark = element("svg", viewBox="0 0 26 10", class_=f"key {role}", aria_hidden="true")
    if line:
        mark.append(element("path", d="M1 5L25 5", class_="line"))
    mark.append(_point(role, 13.0, 5.0, 3.2, ""))
    return element("span", mark, name, class_="key")


def interval_row(arms: Sequence[tuple[str, Role]], found: Sequence[Measured | None]) -> Element:
    """The intervals of one row, one arm below the other, over `AXIS` units."""
    height = 2 * _PAD + _ARM * len(arms)
    svg = element("svg", viewBox=f"0 0 {short(AXIS)} {short(height)}", class_="intervals", aria_hidden="true")
    for place, ((name, role), value) in enumerate(zip(arms, found, strict=True)):
        if value is None:
            continue
        y = _PAD + _ARM * (place + 0.5)
        low, middle, high = (AXIS * min(max(each, 0.0), 1.0) for each in (value.low, value.value, value.high))
        words = f"{name}: {measured(value)} %{f', {value.note}' if value.note else ''}"
        svg.append(
            element(
                "g",
                element("title", words),
                element("line", x1=low, x2=high, y1=y, y2=y, class_="whisker"),
                element("line", x1=low, x2=low, y1=y - 2.5, y2=y + 2.5, class_="whisker"),
                element("line", x1=high, x2=high, y1=y - 2.5, y2=y + 2.5, class_="whisker"),
                _point(role, middle, y, 3.4, ""),
                class_=f"series {role}",
            )
        )
    return svg


def _point(role: Role, x: float, y: float, size: float, words: str) -> Element:
    """A disc, a square, a ring, a diamond, a triangle pointing up or down, or a hollow diamond."""
    title = element("title", words) if words else None
    match role:
        case "main":
            return element("circle", title, cx=x, cy=y, r=size, class_="point")
        case "second":
            side = 2 * size - 0.8
            return element("rect", title, x=x - side / 2, y=y - side / 2, width=side, height=side, class_="point")
        case "third":
            return element("circle", title, cx=x, cy=y, r=size - 0.6, class_="point ring")
        case _:
            corners = _path((x + size * right, y + size * down) for right, down in _CORNERS[role])
            return element("path", title, d=f"{corners}Z", class_="point ring" if role == "seventh" else "point")


def _path(places: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{short(x)} {short(y)}" for x, y in places)


def ticks(high: float, count: int) -> tuple[float, ...]:
    """Round values from 0 to the first not below `high`, in about `count` steps of 1, 2 or 5 times a power of 10.

    `high` must be at least 1e-9.
    """
    rough = high / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return tuple(step * place for place in range(math.ceil(high / step - 1e-9) + 1))


def _level(value: float, unit: Unit, step: float) -> str:
    if unit == "share":
        return percent(value)
    if unit == "usd" and 0.01 <= step < 1:  # either all levels of an axis show cents or none does
        return f"${value:,.2f}"
    return (f"${value:,g}" if unit == "usd" else f"{value:,g}") if value else "0"


def _figure(value: float, unit: Unit) -> str:
    return share(value) if unit == "share" else usd(value) if unit == "usd" else nats(value)

"""Charts and intervals as SVG: round axis values, nothing outside the drawing, and a title on every point."""

import math
from typing import get_args
from xml.etree.ElementTree import Element, tostring

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.reports.document import Chart, Mark, Measured, Role, Series
from engine.reports.proof import with_roles
from engine.reports.svg import AXIS, HEIGHT, WIDTH, interval_row, key, line_chart, ticks

VALUES = st.floats(0, 1e12, allow_nan=False)


def numbers(element: Element, *names: str) -> list[float]:
    return [float(element.get(name, "nan")) for name in names]


@given(st.floats(1e-9, 1e12), st.integers(2, 8))
def test_axis_has_few_round_values_from_0_to_just_beyond_the_maximum(high: float, count: int) -> None:
    found = ticks(high, count)
    assert found[0] == 0
    assert found[-1] >= high * (1 - 1e-6)
    assert found[-2] < high
    assert 2 <= len(found) <= count + 2
    step = found[1]
    lead = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(lead - factor) for factor in (1, 2, 5)) < 1e-6


@given(st.lists(st.tuples(VALUES, VALUES), max_size=60))
@example([(5e-324, 5e-324), (1.0, 0.0)])
@example([(0.0, 2e-315)])
def test_every_line_and_point_is_within_the_drawing(points: list[tuple[float, float]]) -> None:
    xs, ys = tuple(x for x, _ in points), tuple(y for _, y in points)
    drawn = line_chart(Chart("loss", "step", (Series("run 1", xs, ys),), marks=(Mark(max(xs, default=0), "best"),)))
    for each in drawn.iter():
        for name, end in (("x", WIDTH), ("cx", WIDTH), ("x1", WIDTH), ("y1", HEIGHT), ("cy", HEIGHT), ("y", HEIGHT)):
            if name in each.attrib:
                assert 0 <= float(each.attrib[name]) <= end, (each.tag, name)
    lines = [each for each in drawn.iter("path") if each.get("class") == "line"]
    assert len(lines) == (len(points) > 1)
    assert len(list(drawn.iter("circle"))) == (len(points) if len(points) <= 40 else 0)


@pytest.mark.parametrize(("high", "caps"), [(4.0, 2), (9.0, 1), (None, 1)])
def test_range_of_a_mark_is_drawn_up_to_the_end_of_the_axis(high: float | None, caps: int) -> None:
    mark = Mark(3.0, "even", 1.0, high)
    drawn = line_chart(Chart("cost", "days", (Series("run 1", (0.0, 5.0), (1.0, 2.0)),), marks=(mark,)))
    line, *ends = [each for each in drawn.iter("line") if each.get("class") == "between"]
    x1, x2 = numbers(line, "x1", "x2")
    place = next(float(each.get("x1", "nan")) for each in drawn.iter("line") if each.get("class") == "mark")
    assert x1 < place < x2 < WIDTH
    assert len(ends) == caps


def test_points_that_are_not_numbers_are_left_out() -> None:
    drawn = line_chart(Chart("loss", "step", (Series("run 1", (0.0, 1.0, 2.0), (1.0, math.nan, 0.5)),)))
    assert [circle.findtext("title") for circle in drawn.iter("circle")] == [
        "run 1, step 0: 1.000",
        "run 1, step 2: 0.500",
    ]


def test_interval_is_placed_by_its_rate_and_has_its_figures_as_title() -> None:
    drawn = interval_row((("distilled", "main"), ("teacher", "fourth")), (Measured(0.5, 0.25, 0.75, "2 of 4"), None))
    whisker = next(drawn.iter("line"))
    assert numbers(whisker, "x1", "x2") == [0.25 * AXIS, 0.75 * AXIS]
    assert next(drawn.iter("circle")).get("cx") == f"{0.5 * AXIS:g}"
    assert [title.text for title in drawn.iter("title")] == ["distilled: 50.0 (25–75) %, 2 of 4"]


def test_arms_are_distinguishable_without_colour() -> None:
    roles: tuple[Role, ...] = get_args(Role)
    assert len({tostring(key("", role, line=False)[0][-1]) for role in roles}) == len(roles)
    arms = ("unprompted", "prompted", "distilled", "teacher", "run:2", "run:3", "prompt_back")
    assert sorted(role for _, role in with_roles([(arm, None) for arm in arms])) == sorted(roles)

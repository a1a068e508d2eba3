"""The braille chart: where dots stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.chart import MARKER, NOBODY, Cell, Line, plot, smooth, span, thinned


def chart(
    xs: list[float],
    ys: list[float],
    *,
    columns: int,
    rows: int,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> list[str]:
    drawn = plot([Line(xs, ys)], columns=columns, rows=rows, x_range=x_range, y_range=y_range)
    return ["".join(cell.text for cell in row) for row in drawn]


def draw(xs: list[float], ys: list[float]) -> list[str]:
    return chart(xs, ys, columns=10, rows=3, x_range=(0.0, 10.0), y_range=(0.0, 1.0))


def test_no_point_is_an_empty_chart_of_the_same_size() -> None:
    assert draw([], []) == [" " * 10] * 3


def test_corners_are_corners() -> None:
    assert draw([0.0], [1.0])[0][0] == chr(0x2801)
    assert draw([10.0], [0.0])[2][9] == chr(0x2880)


def test_a_rising_line_rises() -> None:
    rows = draw([0.0, 10.0], [0.0, 1.0])
    firsts = [next(index for index, cell in enumerate(row) if cell != " ") for row in rows]
    assert firsts == sorted(firsts, reverse=True)
    assert all(row.strip() for row in rows)


@given(
    st.lists(st.tuples(st.floats(-5, 15), st.floats(-1, 2)), max_size=40),
    st.integers(1, 60),
    st.integers(1, 12),
)
def test_a_chart_never_leaves_its_room(points: list[tuple[float, float]], columns: int, rows: int) -> None:
    drawn = chart(
        [x for x, _ in points],
        [y for _, y in points],
        columns=columns,
        rows=rows,
        x_range=(0.0, 10.0),
        y_range=(0.0, 1.0),
    )
    assert [len(row) for row in drawn] == [columns] * rows
    assert any(row.strip() for row in drawn) == bool(points)


def cells(*lines: Line, log: bool = False, marker: float | None = None) -> list[list[Cell]]:
    y_range = (0.01, 1.0) if log else (0.0, 1.0)
    return plot(lines, columns=10, rows=3, x_range=(0.0, 10.0), y_range=y_range, log=log, marker=marker)


@given(st.lists(st.floats(-1, 2), max_size=400), st.integers(1, 12), st.integers(1, 6), st.integers(1, 500))
def test_of_many_points_those_are_left_that_draw_the_same(ys: list[float], columns: int, rows: int, last: int) -> None:
    xs = [float(step) for step in range(len(ys))]
    ranges = {"x_range": (0.0, float(last)), "y_range": (0.0, 1.0)}
    few = thinned(xs, ys, columns=columns, x_range=ranges["x_range"])
    assert chart(*few, columns=columns, rows=rows, **ranges) == chart(xs, ys, columns=columns, rows=rows, **ranges)
    assert len(few[0]) <= 8 * columns


def test_the_first_line_lies_above_the_others_and_letters_above_all() -> None:
    flat = Line([0.0, 10.0], [0.0, 0.0])
    drawn = cells(flat, Line([0.0, 8.0], [0.0, 0.0], letter="a"))
    assert [cell.owner for cell in drawn[2]] == [0] * 7 + [1] + [0] * 2
    assert drawn[2][7].text == "a"
    assert {cell.owner for cell in drawn[0]} == {NOBODY}


def test_a_broken_line_leaves_out_its_share_of_the_dots() -> None:
    whole, broken = (cells(Line([0.0, 10.0], [0.0, 0.0], on=1, off=off)) for off in (0, 1))
    assert [cell.text for cell in whole[2]] == [chr(0x28C0)] * 10
    assert [cell.text for cell in broken[2]] == [chr(0x2840)] * 10


def test_the_marker_stands_behind_the_lines_at_its_place() -> None:
    drawn = cells(Line([0.0, 10.0], [0.0, 0.0]), marker=5.0)
    column = next(index for index, cell in enumerate(drawn[0]) if cell.owner == MARKER)
    assert column in (4, 5)
    assert drawn[0][column].text == "│"
    assert drawn[2][column].owner == 0


def test_on_a_logarithmic_axis_equal_ratios_are_equal_distances() -> None:
    middle = cells(Line([5.0], [0.1]), log=True)
    assert [any(cell.owner == 0 for cell in row) for row in middle] == [False, True, False]
    nothing = cells(Line([5.0], [0.0]), log=True)
    assert any(cell.owner == 0 for cell in nothing[2])


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50), st.floats(0.0, 0.99))
def test_smoothed_values_stay_within_what_they_are_means_of(values: list[float], weight: float) -> None:
    smoothed = smooth(values, weight)
    assert len(smoothed) == len(values)
    assert smoothed[0] == pytest.approx(values[0])
    assert all(min(values) * 0.999 <= each <= max(values) * 1.001 for each in smoothed)
    assert smooth(values, 0.0) == pytest.approx(values)


def test_smoothing_follows_slowly() -> None:
    assert smooth([0.0, 1.0], 0.5) == pytest.approx([0.0, 2 / 3])
    assert smooth([], 0.9) == []


@given(st.lists(st.floats(-1, 1e9), max_size=20))
def test_a_span_can_always_be_drawn_in(values: list[float]) -> None:
    for log in (False, True):
        low, high = span(values, log=log)
        assert low < high
        assert low > 0 or not log
        assert all(value <= high for value in values)

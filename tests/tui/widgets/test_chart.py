"""The braille chart: where dots are drawn, thinning, smoothing and axis ranges."""

from functools import partial

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


def test_chart_without_points_is_blank_and_keeps_its_size() -> None:
    assert draw([], []) == [" " * 10] * 3


def test_extreme_points_are_drawn_in_the_corners() -> None:
    assert draw([0.0], [1.0])[0][0] == chr(0x2801)
    assert draw([10.0], [0.0])[2][9] == chr(0x2880)


def test_rising_line_is_drawn_rising() -> None:
    rows = draw([0.0, 10.0], [0.0, 1.0])
    firsts = [next(index for index, cell in enumerate(row) if cell != " ") for row in rows]
    assert firsts == sorted(firsts, reverse=True)
    assert all(row.strip() for row in rows)


@given(
    st.lists(st.tuples(st.floats(-5, 15), st.floats(-1, 2)), max_size=40),
    st.integers(1, 60),
    st.integers(1, 12),
)
def test_chart_always_has_exactly_its_size(points: list[tuple[float, float]], columns: int, rows: int) -> None:
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
def test_thinned_points_draw_the_same_chart(ys: list[float], columns: int, rows: int, last: int) -> None:
    xs = [float(step) for step in range(len(ys))]
    x_range = (0.0, float(last))
    few = thinned(xs, ys, columns=columns, x_range=x_range)
    drawn = partial(chart, columns=columns, rows=rows, x_range=x_range, y_range=(0.0, 1.0))
    assert drawn(*few) == drawn(xs, ys)
    assert len(few[0]) <= 8 * columns


def test_first_line_is_drawn_on_top_and_letters_above_all_lines() -> None:
    flat = Line([0.0, 10.0], [0.0, 0.0])
    drawn = cells(flat, Line([0.0, 8.0], [0.0, 0.0], letter="a"))
    assert [cell.owner for cell in drawn[2]] == [0] * 7 + [1] + [0] * 2
    assert drawn[2][7].text == "a"
    assert {cell.owner for cell in drawn[0]} == {NOBODY}


def test_dashed_line_leaves_out_every_second_dot() -> None:
    solid, dashed = (cells(Line([0.0, 10.0], [0.0, 0.0], on=1, off=off)) for off in (0, 1))
    assert [cell.text for cell in solid[2]] == [chr(0x28C0)] * 10
    assert [cell.text for cell in dashed[2]] == [chr(0x2840)] * 10


def test_marker_is_drawn_behind_the_lines() -> None:
    drawn = cells(Line([0.0, 10.0], [0.0, 0.0]), marker=5.0)
    column = next(index for index, cell in enumerate(drawn[0]) if cell.owner == MARKER)
    assert column in (4, 5)
    assert drawn[0][column].text == "│"
    assert drawn[2][column].owner == 0


def test_logarithmic_axis_spaces_equal_ratios_equally() -> None:
    middle = cells(Line([5.0], [0.1]), log=True)
    assert [any(cell.owner == 0 for cell in row) for row in middle] == [False, True, False]
    zero = cells(Line([5.0], [0.0]), log=True)
    assert any(cell.owner == 0 for cell in zero[2])


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50), st.floats(0.0, 0.99))
def test_smoothed_values_stay_within_the_range_of_the_input(values: list[float], weight: float) -> None:
    smoothed = smooth(values, weight)
    assert len(smoothed) == len(values)
    assert smoothed[0] == pytest.approx(values[0])
    assert all(min(values) * 0.999 <= each <= max(values) * 1.001 for each in smoothed)
    assert smooth(values, 0.0) == pytest.approx(values)


def test_smoothing_is_a_weighted_mean_of_the_values_so_far() -> None:
    assert smooth([0.0, 1.0], 0.5) == pytest.approx([0.0, 2 / 3])
    assert smooth([], 0.9) == []


@given(st.lists(st.floats(-1, 1e9), max_size=20))
def test_span_is_never_empty_and_covers_all_values(values: list[float]) -> None:
    for log in (False, True):
        low, high = span(values, log=log)
        assert low < high
        assert low > 0 or not log
        assert all(value <= high for value in values)

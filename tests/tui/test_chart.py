"""The braille chart: where dots stand."""

from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.chart import chart


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

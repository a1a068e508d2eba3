"""Clamping the cursor of a list, and choosing the rows that are visible around it."""

from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.rows import window, within

COUNTS = st.integers(1, 200)


@given(st.integers(-300, 300), COUNTS)
def test_row_index_is_clamped_to_the_list(place: int, count: int) -> None:
    assert within(place, count) == min(range(count), key=lambda each: abs(each - place))
    assert within(place, 0) == 0


@given(st.data(), st.integers(1, 60), COUNTS)
def test_window_is_full_and_centred_on_the_cursor_except_at_the_ends(
    data: st.DataObject, room: int, count: int
) -> None:
    at = data.draw(st.integers(0, count - 1))
    shown = window(at, room, count)
    assert at in shown
    assert len(shown) == min(room, count)
    if shown.start > 0 and shown.stop < count:
        assert at - shown.start == room // 2


def test_window_of_an_empty_list_is_empty() -> None:
    assert not window(0, 5, 0)

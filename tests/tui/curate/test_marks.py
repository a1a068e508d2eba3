"""Marks compared with a plain set of rows: count, marked rows and selection always agree."""

from hypothesis import given
from hypothesis import strategies as st

from tui.screens.curate.marks import Marks, Spot

SIZE = 12


def spot(place: int) -> Spot:
    return Spot(100 + 2 * place, place)  # ids have gaps, as in a filtered list


def selected(marks: Marks) -> set[int]:
    """Return the rows that the store would select."""
    return {
        place
        for place in range(SIZE)
        if ((number := spot(place).id) in marks.ids or any(first <= number <= last for first, last in marks.spans))
        and number not in marks.taken_out
    }


@given(st.lists(st.tuples(st.sampled_from(["toggle", "range", "all", "clear"]), st.integers(0, SIZE - 1))))
def test_marks_behave_like_a_set(steps: list[tuple[str, int]]) -> None:
    marks, expected, range_start = Marks(), set[int](), -1
    for step, place in steps:
        in_range = set(range(min(range_start, place), max(range_start, place) + 1)) if range_start >= 0 else set[int]()
        match step:
            case "toggle":
                expected, range_start = (expected | in_range, -1) if in_range else (expected ^ {place}, -1)
                marks.toggle(spot(place))
            case "range" if range_start >= 0:
                expected, range_start = expected | in_range, -1
                marks.keep_range(spot(place))
            case "range":
                range_start = place
                marks.begin_range(spot(place))
            case "all":
                expected, range_start = set(range(SIZE)), -1
                marks.mark_all(spot(SIZE - 1))
            case _:
                expected, range_start = set(), -1
                marks.clear()
        for cursor in (0, place, SIZE - 1):
            visible_range = (
                set(range(min(range_start, cursor), max(range_start, cursor) + 1)) if range_start >= 0 else set[int]()
            )
            assert marks.count(cursor) == len(expected | visible_range)
            assert {p for p in range(SIZE) if marks.holds(spot(p), cursor)} == expected | visible_range
        assert selected(marks) == expected
        assert marks.any or not expected


def test_mark_all_is_stored_as_one_range() -> None:
    marks = Marks()
    marks.mark_all(Spot(250_000, 99_999))
    marks.toggle(Spot(7, 3))
    assert marks.count(0) == 99_999
    assert (marks.ids, marks.spans, marks.taken_out) == ((), ((0, 250_000),), (7,))

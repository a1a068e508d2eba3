"""Marks against a plain set of places: whatever is marked and let go, count, rows and selection agree with it."""

from hypothesis import given
from hypothesis import strategies as st

from tui.screens.curate.marks import Marks, Spot

SIZE = 12


def spot(place: int) -> Spot:
    return Spot(100 + 2 * place, place)  # numbers have gaps, as those of a filtered list do


def selected(marks: Marks) -> set[int]:
    """The places that the store would find."""
    return {
        place
        for place in range(SIZE)
        if ((number := spot(place).id) in marks.ids or any(first <= number <= last for first, last in marks.spans))
        and number not in marks.taken_out
    }


@given(st.lists(st.tuples(st.sampled_from(["toggle", "range", "all", "clear"]), st.integers(0, SIZE - 1))))
def test_marks_agree_with_a_set(steps: list[tuple[str, int]]) -> None:
    marks, expected, began = Marks(), set[int](), -1
    for step, place in steps:
        held = set(range(min(began, place), max(began, place) + 1)) if began >= 0 else set[int]()
        match step:
            case "toggle":
                expected, began = (expected | held, -1) if held else (expected ^ {place}, -1)
                marks.toggle(spot(place))
            case "range" if began >= 0:
                expected, began = expected | held, -1
                marks.keep_range(spot(place))
            case "range":
                began = place
                marks.begin_range(spot(place))
            case "all":
                expected, began = set(range(SIZE)), -1
                marks.mark_all(spot(SIZE - 1))
            case _:
                expected, began = set(), -1
                marks.clear()
        for cursor in (0, place, SIZE - 1):
            live = set(range(min(began, cursor), max(began, cursor) + 1)) if began >= 0 else set[int]()
            assert marks.count(cursor) == len(expected | live)
            assert {p for p in range(SIZE) if marks.holds(spot(p), cursor)} == expected | live
        assert selected(marks) == expected
        assert marks.any or not expected


def test_a_hundred_thousand_marks_are_one_range() -> None:
    marks = Marks()
    marks.mark_all(Spot(250_000, 99_999))
    marks.toggle(Spot(7, 3))
    assert marks.count(0) == 99_999
    assert (marks.ids, marks.spans, marks.taken_out) == ((), ((0, 250_000),), (7,))

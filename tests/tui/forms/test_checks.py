"""What may be typed into a field: numbers in their bounds, and nothing else that Python would read as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.forms.checks import number, or_empty, whole


@given(st.integers(-(10**12), 10**12))
def test_a_whole_number_fits_its_bounds(value: int) -> None:
    assert (whole(1, 64)(str(value)) == "") == (1 <= value <= 64)
    assert (whole(0)(str(value)) == "") == (0 <= value < 10**9)


@pytest.mark.parametrize("text", ["", " ", "1.0", "1e3", "+1", "٣", "²", "1_000", "9" * 5000])
def test_nothing_else_is_a_whole_number(text: str) -> None:
    assert whole(0, 10**9)(text) == "A whole number from 0 to 1,000,000,000."
    assert whole(1)(text) == "A whole number, 1 or more."


@pytest.mark.parametrize(("text", "fits"), [("0", True), ("2", True), (".5", True), ("2.1", False), ("-0.1", False),
                                            ("nan", False), ("inf", False), ("", False), ("one", False)])  # fmt: skip
def test_a_number_fits_its_bounds(text: str, fits: bool) -> None:
    assert (number(0.0, 2.0)(text) == "") == fits


def test_a_field_that_may_be_empty_is_checked_when_it_is_not() -> None:
    assert or_empty(whole(1))("") == ""
    assert or_empty(whole(1))("x")

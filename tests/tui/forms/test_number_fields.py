"""Checks of number fields: bounds, and no notation that only Python understands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.forms.checks import number, or_empty, whole


@given(st.integers(-(10**12), 10**12))
def test_whole_numbers_are_checked_against_bounds(value: int) -> None:
    assert (whole(1, 64)(str(value)) == "") == (1 <= value <= 64)
    assert (whole(0)(str(value)) == "") == (0 <= value < 10**9)


@pytest.mark.parametrize("text", ["", " ", "1.0", "1e3", "+1", "٣", "²", "1_000", "9" * 5000])
def test_other_text_is_not_a_whole_number(text: str) -> None:
    assert whole(0, 10**9)(text) == "A whole number from 0 to 1,000,000,000."
    assert whole(1)(text) == "A whole number, 1 or more."


@pytest.mark.parametrize(("text", "valid"), [("0", True), ("2", True), (".5", True), ("2.1", False), ("-0.1", False),
                                            ("nan", False), ("inf", False), ("", False), ("one", False)])  # fmt: skip
def test_numbers_are_checked_against_bounds(text: str, valid: bool) -> None:
    assert (number(0.0, 2.0)(text) == "") == valid


def test_optional_field_is_checked_only_if_it_is_not_empty() -> None:
    assert or_empty(whole(1))("") == ""
    assert or_empty(whole(1))("x")

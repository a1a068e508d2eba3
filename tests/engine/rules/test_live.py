"""Checks of an answer that is still being written: early results agree with the final ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.records.rule import Check, Rule
from engine.rules.checks import check_answer
from engine.rules.live import check_so_far

CHECKS = [
    Check("forbidden", texts=("ab",)),
    Check("length", max=2, unit="words"),
    Check("length", min=2, unit="words"),
    Check("length", min=1, max=3, unit="words"),
    Check("contains", text="ba"),
    Check("starts_with", text="ab "),
    Check("pattern", pattern="^a"),
]


@given(st.sampled_from(CHECKS), st.text("ab ", max_size=12), st.text("ab ", max_size=12))
def test_early_results_agree_with_the_complete_answer(check: Check, start: str, rest: str) -> None:
    rule = Rule(1, "", check)
    results = check_so_far([rule], start)
    if not results:
        return
    now, end = results[0].passed, check_answer([rule], start + rest)[0].passed
    if not now:
        assert not end
    elif check.kind in ("contains", "starts_with", "pattern") or (check.max is None and check.min is not None):
        assert end


@pytest.mark.parametrize(
    ("check", "text", "expected"),
    [
        (Check("starts_with", text="RISK"), "RI", None),
        (Check("starts_with", text="RISK"), "Ro", False),
        (Check("starts_with", text="RISK"), "RISK: 3", True),
        (Check("length", min=3, unit="words"), "one two", None),
        (Check("length", min=3, max=4, unit="words"), "1 2 3 4 5", False),
        (Check("json"), '{"a": 1}', None),
        (Check("ends_with", text="."), "Done.", None),
        (Check("language", code="en"), "All of this is English text.", None),
    ],
)
def test_result_is_given_only_once_it_is_unlikely_to_change(check: Check, text: str, expected: bool | None) -> None:
    results = check_so_far([Rule(1, "", check)], text)
    assert [result.passed for result in results] == ([] if expected is None else [expected])

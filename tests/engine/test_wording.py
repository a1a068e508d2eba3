"""Numbers in sentences: singular and plural."""

import pytest

from engine.wording import answers_pass, counted, passed_of, percent


@pytest.mark.parametrize(
    ("number", "number_format", "expected"),
    [
        (0, ",", "0 epochs"),
        (1, ",", "1 epoch"),
        (1_200, ",", "1,200 epochs"),
        (1.0, "g", "1 epoch"),
        (0.5, "g", "0.5 epochs"),
        (1.0004, ",.3g", "1 epoch"),
        (1.0, ",.1f", "1.0 epochs"),
    ],
)
def test_noun_agrees_with_the_number_as_printed(number: float, number_format: str, expected: str) -> None:
    assert counted(number, "epoch", number_format) == expected


@pytest.mark.parametrize(
    ("share", "count", "text"), [(0.0, 2, "0 of 2"), (15 / 16, 16, "15 of 16"), (0.5, 2_000, "1,000 of 2,000")]
)
def test_passing_answers_are_counted_not_given_in_per_cent(share: float, count: int, text: str) -> None:
    assert passed_of(share, count) == text
    assert answers_pass(share, count) == f", {text} answers pass"
    assert (passed_of(None, count), answers_pass(None, count)) == ("–", "")


def test_no_line_breaks_between_a_number_and_its_per_cent_sign() -> None:
    assert [percent(share) for share in (0.0, 0.126, 1.0)] == ["0\u00a0%", "13\u00a0%", "100\u00a0%"]

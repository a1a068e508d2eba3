"""Numbers in sentences: singular and plural."""

import pytest

from engine.wording import counted


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

"""Numbers in sentences: one thing is one, in whatever form its number is written."""

import pytest

from engine.wording import counted


@pytest.mark.parametrize(
    ("number", "form", "words"),
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
def test_one_thing_is_told_as_one(number: float, form: str, words: str) -> None:
    assert counted(number, "epoch", form) == words

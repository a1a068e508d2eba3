"""No part of a key that a server echoes is told, and of everything else nothing is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.teachers.faults import EndpointFault
from engine.teachers.key_guard import KeyGuard
from engine.teachers.keys import KEYLESS

KEY = "sk-aab-aac"
TEXTS = st.text("skab-c x", max_size=40)


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(ends)]


@given(TEXTS, st.lists(st.integers(0, 60), max_size=8))
def test_a_text_without_the_key_is_told_whole(text: str, places: list[int]) -> None:
    guard = KeyGuard(KEY)
    text = text.replace(KEY, "")
    assert "".join([*(guard.safe_part(piece) for piece in cut(text, places)), guard.rest()]) == text


@given(TEXTS, st.lists(st.integers(0, 60), max_size=8))
def test_of_a_key_in_pieces_nothing_is_told(before: str, places: list[int]) -> None:
    guard, told = KeyGuard(KEY), ""
    before = before.replace("s", "")
    *pieces, last = cut(before + KEY, places)
    for piece in pieces:
        guard.refuse(piece)
        told += guard.safe_part(piece)
    assert before.startswith(told)
    with pytest.raises(EndpointFault):
        guard.refuse("".join((*pieces, last)))


def test_without_a_key_nothing_waits() -> None:
    guard = KeyGuard(KEYLESS)
    guard.refuse(f"It says {KEYLESS}.")
    assert guard.safe_part("no-key") == "no-key"

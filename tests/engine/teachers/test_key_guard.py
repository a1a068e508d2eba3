"""The key guard: no part of an echoed key gets through, and no other text is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.teachers.faults import EndpointFault
from engine.teachers.key_guard import KeyGuard
from engine.teachers.keys import KEYLESS

KEY = "sk-aab-aac"
TEXTS = st.text("skab-c x", max_size=40)


def split(text: str, positions: list[int]) -> list[str]:
    ends = sorted({position % (len(text) + 1) for position in positions} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(ends)]


@given(TEXTS, st.lists(st.integers(0, 60), max_size=8))
def test_text_without_the_key_passes_whole(text: str, positions: list[int]) -> None:
    guard = KeyGuard(KEY)
    text = text.replace(KEY, "")
    assert "".join([*(guard.safe_part(piece) for piece in split(text, positions)), guard.rest()]) == text


@given(TEXTS, st.lists(st.integers(0, 60), max_size=8))
def test_no_piece_of_a_split_key_passes(before: str, positions: list[int]) -> None:
    guard, passed = KeyGuard(KEY), ""
    before = before.replace("s", "")
    *pieces, last = split(before + KEY, positions)
    for piece in pieces:
        guard.refuse(piece)
        passed += guard.safe_part(piece)
    assert before.startswith(passed)
    with pytest.raises(EndpointFault):
        guard.refuse("".join((*pieces, last)))


def test_nothing_is_held_back_without_a_key() -> None:
    guard = KeyGuard(KEYLESS)
    guard.refuse(f"It says {KEYLESS}.")
    assert guard.safe_part("no-key") == "no-key"

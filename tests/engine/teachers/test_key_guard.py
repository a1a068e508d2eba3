"""The key guard: no part of an echoed key gets through, and no other text is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.teachers.faults import EndpointFault
from engine.teachers.key_guard import KeyGuard
from engine.teachers.keys import KEYLESS

KEY = "sk-aab-aac"
LONG_KEY = "".join(f"{number:x}." for number in range(150))
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
        passed += guard.safe_part(piece)
    assert before.startswith(passed)
    with pytest.raises(EndpointFault, match="contains the API key"):
        guard.safe_part(last)


def test_nothing_is_held_back_without_a_key() -> None:
    for key in (KEYLESS, ""):
        guard = KeyGuard(key)
        assert guard.safe_part(f"It says {KEYLESS}.") == f"It says {KEYLESS}."
        assert guard.safe_part("no-key") == "no-key"
        assert guard.rest() == ""


def test_long_key_in_single_characters_is_refused() -> None:
    guard, key = KeyGuard(LONG_KEY), list(LONG_KEY)
    assert [guard.safe_part(piece) for piece in ("Key: ", *key[:-1])] == ["Key: ", *[""] * (len(key) - 1)]
    with pytest.raises(EndpointFault):
        guard.safe_part(key[-1])

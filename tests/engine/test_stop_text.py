"""Stop texts end an answer at the same place however the answer is split into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stop_text import StopText

LETTERS = "ab\n"


@given(
    st.lists(st.text(LETTERS, max_size=5), max_size=12), st.lists(st.text(LETTERS, min_size=1, max_size=4), max_size=4)
)
def test_pieces_are_cut_like_the_whole_text(pieces: list[str], stops: list[str]) -> None:
    text = StopText(stops)
    shown = ""
    for piece in pieces:
        shown += text.feed(piece)
        if text.found:
            break
    shown += text.end()
    whole = "".join(pieces)
    positions = [position for stop in stops if (position := whole.find(stop)) >= 0]
    assert text.found == bool(positions)
    if not positions:
        assert shown == whole
    elif len(stops) == 1:
        assert shown == whole[: positions[0]]
    else:
        # The stop text that is completed first ends the stream, even if another one starts before it.
        assert whole.startswith(shown)
        assert any(whole.startswith(stop, len(shown)) for stop in stops)
    assert not any(stop in shown for stop in stops)


def test_only_a_possible_start_of_a_stop_text_is_held_back() -> None:
    text = StopText(["STOP"])
    assert [text.feed(piece) for piece in ("go ST", "E", "ST", "OP", "x")] == ["go ", "STE", "", "", ""]
    assert text.found
    assert text.end() == ""


@pytest.mark.parametrize("stops", [[], ["zz"]])
def test_text_without_a_stop_text_is_shown_whole(stops: list[str]) -> None:
    text = StopText(stops)
    assert text.feed("az") + text.feed("q") + text.end() == "azq"

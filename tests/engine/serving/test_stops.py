"""Stop texts end an answer at the same place however it arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.serving.stops import StopText

LETTERS = "ab\n"


@given(
    st.lists(st.text(LETTERS, max_size=5), max_size=12), st.lists(st.text(LETTERS, min_size=1, max_size=4), max_size=4)
)
def test_pieces_are_cut_as_the_whole_is(pieces: list[str], stops: list[str]) -> None:
    text = StopText(stops)
    shown = ""
    for piece in pieces:
        shown += text.feed(piece)
        if text.found:
            break
    shown += text.end()
    whole = "".join(pieces)
    places = [place for stop in stops if (place := whole.find(stop)) >= 0]
    assert text.found == bool(places)
    if not places:
        assert shown == whole
    elif len(stops) == 1:
        assert shown == whole[: places[0]]
    else:
        # Of two stop texts the one that is whole first ends the stream, although another may have begun before it.
        assert whole.startswith(shown)
        assert any(whole.startswith(stop, len(shown)) for stop in stops)
    assert not any(stop in shown for stop in stops)


def test_what_may_be_a_stop_text_is_held_back_and_no_more() -> None:
    text = StopText(["STOP"])
    assert [text.feed(piece) for piece in ("go ST", "E", "ST", "OP", "x")] == ["go ", "STE", "", "", ""]
    assert text.found
    assert text.end() == ""


@pytest.mark.parametrize("stops", [[], ["zz"]])
def test_without_a_stop_text_everything_is_shown(stops: list[str]) -> None:
    text = StopText(stops)
    assert text.feed("az") + text.feed("q") + text.end() == "azq"

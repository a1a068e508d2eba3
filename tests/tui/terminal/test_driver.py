"""What a terminal sends becomes text, however it was cut, and no paste holds a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser

from tui.terminal.driver import TypedText

START, END = b"\x1b[200~", b"\x1b[201~"
pieces = st.lists(
    st.one_of(
        st.sampled_from([START, END, b"\x1b", b"\x1b[A", b"\x1b[20", b"a", b"caf\xe9", "é␛".encode(), b"\n", b"\x07"]),
        st.binary(max_size=4),
    ),
    max_size=12,
)


def whole(data: bytes) -> str:
    return TypedText().feed(data, final=True)


@given(pieces, st.data())
def test_how_it_was_cut_does_not_matter(found: list[bytes], data: st.DataObject) -> None:
    sent = b"".join(found)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    typed, given_text = TypedText(), ""
    for first, last in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        given_text += typed.feed(sent[first:last])
    assert given_text + typed.feed(b"", final=True) == whole(sent)


@given(st.binary(max_size=40).filter(lambda inside: END not in inside))
def test_a_paste_is_one_paste_and_ends_where_it_does(inside: bytes) -> None:
    text = whole(START + inside + END + b"x")
    pasted = inside.decode(errors="replace").replace("\x1b", "␛")
    assert text == f"\x1b[200~{pasted}\x1b[201~x"
    first, key = XTermParser().feed(text)
    assert isinstance(first, events.Paste)
    assert first.text == pasted.replace("\x00", "")
    assert isinstance(key, events.Key)


def test_an_escape_outside_a_paste_is_a_key_at_once() -> None:
    typed = TypedText()
    assert [typed.feed(each) for each in (b"\x1b", b"\x1b[2", b"\x1b[A")] == ["\x1b", "\x1b[2", "\x1b[A"]


@pytest.mark.parametrize("sent", [b"caf\xe9", b"\xff", b"\xc3", b"\xed\xa0\x80"])
def test_bytes_that_are_no_text_are_shown_as_such(sent: bytes) -> None:
    assert "\ufffd" in whole(sent)

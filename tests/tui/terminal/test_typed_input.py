"""Decoding terminal input: split reads, invalid UTF-8, and pastes that cannot contain key presses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser

from tui.terminal.driver import TypedText, with_alt_enter

START, END = b"\x1b[200~", b"\x1b[201~"
pieces = st.lists(
    st.one_of(
        st.sampled_from([START, END, b"\x1b", b"\x1b[A", b"\x1b[20", b"a", b"caf\xe9", "é␛".encode(), b"\n", b"\x07"]),
        st.binary(max_size=4),
    ),
    max_size=12,
)


def decode(data: bytes) -> str:
    return TypedText().feed(data, final=True)


@given(pieces, st.data())
def test_decoding_does_not_depend_on_how_input_is_split(found: list[bytes], data: st.DataObject) -> None:
    sent = b"".join(found)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    typed, decoded = TypedText(), ""
    for first, last in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        decoded += typed.feed(sent[first:last])
    assert decoded + typed.feed(b"", final=True) == decode(sent)


@given(st.binary(max_size=40).filter(lambda inside: END not in inside))
def test_paste_with_escapes_is_one_paste_and_later_keys_are_keys(inside: bytes) -> None:
    text = decode(START + inside + END + b"x")
    pasted = inside.decode(errors="replace").replace("\x1b", "␛")
    assert text == f"\x1b[200~{pasted}\x1b[201~x"
    first, key = XTermParser().feed(text)
    assert isinstance(first, events.Paste)
    assert first.text == pasted.replace("\x00", "")
    assert isinstance(key, events.Key)


def test_escape_outside_a_paste_is_passed_on_at_once() -> None:
    typed = TypedText()
    assert [typed.feed(each) for each in (b"\x1b", b"\x1b[2", b"\x1b[A")] == ["\x1b", "\x1b[2", "\x1b[A"]


@pytest.mark.parametrize("sent", ["\x1b\r", "\x1b[13;3u"])
def test_alt_enter_is_one_key_in_whatever_form_it_comes(sent: str) -> None:
    keys = [each.key for each in XTermParser().feed(with_alt_enter(f"a{sent}b\r")) if isinstance(each, events.Key)]
    assert keys == ["a", "alt+enter", "b", "enter"]


@pytest.mark.parametrize("sent", [b"caf\xe9", b"\xff", b"\xc3", b"\xed\xa0\x80"])
def test_invalid_utf8_becomes_replacement_characters(sent: bytes) -> None:
    assert "\ufffd" in decode(sent)

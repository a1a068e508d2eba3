"""Foreign text reaches a terminal only as visible characters."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clean import StreamCleaner, clean_line, clean_text, mask_controls, strip_controls
from tests.hostile import control_characters, hostile_text


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("\x1b[2J\x1b]52;c;aGk=\x07", "␛[2J␛]52;c;aGk=␇"),
        ("\x9b31m\x85", "‹U+009B›31m‹U+0085›"),
        ("a\x7f\x08b\x00", "a␡␈b␀"),
        ("pay \u202eevil\u202c", "pay ‹U+202E›evil‹U+202C›"),
        ("in\u200bvis\ufeffible\U000e0041", "in‹U+200B›vis‹U+FEFF›ible‹U+E0041›"),
        ("\ud83d", "\ufffd"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\U0001f469\U0001f467"),
        ("\u2764\ufe0f\u200d\U0001f525", "\u2764\ufe0f\U0001f525"),
        ("a\u200db\u200d\U0001f525\u200d\u200d", "a‹U+200D›b‹U+200D›\U0001f525‹U+200D›"),
        ("one\r\ntwo\rthree\n\r\n", "one\ntwo\nthree\n\n"),
        ("col\tcol\n[@click=x]漢字 ❤\ufe0f", "col\tcol\n[@click=x]漢字 ❤\ufe0f"),
    ],
)
def test_clean_text_shows_control_characters_as_symbols(foreign: str, shown: str) -> None:
    assert clean_text(foreign) == shown


@given(hostile_text)
def test_clean_text_leaves_nothing_a_terminal_obeys_or_hides(text: str) -> None:
    assert not control_characters(clean_text(text), "\n\t")
    clean_text(text).encode()


@given(hostile_text)
def test_clean_text_is_idempotent(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)


@given(st.lists(hostile_text, max_size=8))
def test_stream_cleaner_gives_the_same_text_for_any_chunks(chunks: list[str]) -> None:
    cleaner = StreamCleaner()
    assert "".join(cleaner.feed(chunk) for chunk in chunks) == clean_text("".join(chunks))


@given(st.lists(st.text("\U0001f468\u2764\ufe0f\u200da\r\n", max_size=4), max_size=8))
def test_stream_cleaner_drops_the_same_joiners_for_any_chunks(chunks: list[str]) -> None:
    cleaner, text = StreamCleaner(), "".join(chunks)
    assert "".join(map(cleaner.feed, chunks)) == clean_text(text) == clean_text(clean_text(text))


def test_crlf_split_across_chunks_is_one_newline() -> None:
    cleaner = StreamCleaner()
    assert [cleaner.feed(chunk) for chunk in ("a\r", "", "\n", "\nb\r", "c")] == ["a\n", "", "", "\nb\n", "c"]


@given(hostile_text, st.integers(0, 30))
def test_clean_line_is_one_line_within_the_width(text: str, width: int) -> None:
    line = clean_line(text, width)
    assert "\n" not in line
    assert "\t" not in line
    cells = sum(
        0 if unicodedata.category(c) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in line
    )
    assert cells <= width
    assert clean_line(line, width) == line


def test_clean_line_is_truncated_only_if_too_wide() -> None:
    assert clean_line("exactly", 7) == "exactly"
    assert clean_line("exactly8", 7) == "exactl…"
    assert clean_line("漢字漢字", 5) == "漢字…"
    assert clean_line("漢字漢字", 4) == "漢…"
    assert clean_line("a\nb\tc") == "a b c"
    assert clean_line("\x1b" * 10_000_000, 4) == "␛␛␛…"


@given(hostile_text)
def test_mask_controls_replaces_the_same_characters_one_for_one(text: str) -> None:
    line = text.replace("\n", " ")
    masked = mask_controls(line)
    assert len(masked) == len(line)
    assert clean_text(masked) == masked
    assert all(new == old for new, old in zip(masked, line, strict=True) if clean_text(old) == old)


@given(hostile_text)
def test_strip_controls_leaves_only_clean_text(text: str) -> None:
    stripped = strip_controls(text)
    assert strip_controls(stripped) == stripped
    assert clean_text(stripped) == stripped
    assert not control_characters(stripped, "\n\t")
    assert strip_controls(clean_text(text)) == clean_text(text)

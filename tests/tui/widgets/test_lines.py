"""Fitting, wrapping and formatting text to exact widths in cells, whatever a model writes."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.content import Content

from tests.hostile import control_characters
from tui.widgets.lines import duration, fit, justify, shorten, wrap

ANY = st.text(max_size=200)


@given(ANY, st.integers(0, 60))
def test_fitted_line_has_exactly_the_width(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


@given(ANY, st.integers(2, 60))
def test_wrapped_lines_fit_the_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cell_len(line) <= width for line in lines)


@given(st.lists(st.text("abcde", min_size=1, max_size=9), max_size=30), st.integers(9, 40))
def test_wrapping_keeps_all_words_in_order(words: list[str], width: int) -> None:
    assert " ".join(wrap(" ".join(words), width)).split() == words


@given(ANY, st.integers(0, 40))
def test_control_characters_are_removed(text: str, width: int) -> None:
    foreign = text + "\x1b[2J\x9b31m\x07\u202e"
    for shown in (fit(foreign, 300), shorten(foreign, 300), *wrap(foreign, 40)):
        assert not control_characters(shown, "")


def test_right_text_is_dropped_if_it_does_not_fit() -> None:
    assert justify(Content("left"), Content("right"), 20).plain == "left           right"
    assert justify(Content("left"), Content("right"), 9).plain == "left"


def test_durations_are_formatted_in_at_most_two_units() -> None:
    formatted = [duration(seconds) for seconds in (4.4, 61, 599, 1500, 7322)]
    assert formatted == ["4 s", "1 min 01 s", "9 min 59 s", "25 min", "2 h 02 min"]


def test_zero_width_word_after_a_full_line_is_kept() -> None:
    assert wrap("abcd \u0301 e", 4) == ["abcd", "\u0301 e"]

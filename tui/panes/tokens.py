"""Tokens at which two models differ, each after the answer up to it, in lines of one width. Pure."""

from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content

from engine.clean import clean_line
from engine.reports.token_text import token_word
from tui.widgets.lines import DIM, GOOD, STRONG, WARN, fit, right, shorten

_NATS, _PLACE = 6, 9
_GAP = 2


@dataclass(frozen=True, slots=True)
class Differing:
    """One token for display: `place` names its answer; `left` and `right` are the likeliest token of each model."""

    kl: float
    place: str
    before: str
    token: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class TokenColumns:
    """The columns for a width: their heading, and one line per token."""

    width: int

    def heading(self, place: str, left: str, right_name: str) -> Content:
        """The headings of the columns."""
        head = right("nats", _NATS) + right(place, _PLACE) + "  " + fit("the answer, up to the token", self._text)
        head += "  " + fit(left, self._word) + "  " + fit(right_name, self._word)
        return Content.styled(shorten(head, self.width), DIM)

    def line(self, token: Differing) -> Content:
        """The line of one token."""
        shown = shorten(token_word(token.token), self._text)
        before = _end_of(token.before, self._text - cell_len(shown))
        return Content.assemble(
            right(f"{token.kl:.2f}", _NATS),
            (right(token.place, _PLACE), DIM),
            "  ",
            (before, DIM),
            (shown, STRONG),
            " " * (self._text - cell_len(before) - cell_len(shown)),
            "  ",
            (fit(token_word(token.left), self._word), GOOD),
            "  ",
            (fit(token_word(token.right), self._word), WARN),
        )

    def under(self, text: str) -> Content:
        """Text about the token above, aligned with its answer."""
        indent = _NATS + _PLACE + _GAP
        return Content.styled(" " * indent + shorten(text, self.width - indent), DIM)

    @property
    def _word(self) -> int:
        return max(8, min(18, self.width // 6))

    @property
    def _text(self) -> int:
        return self.width - _NATS - _PLACE - 2 * (self._word + _GAP) - _GAP


def _end_of(text: str, width: int) -> str:
    """Foreign text on one line, followed by a space; if it is too long, its start is cut."""
    line = f"{' '.join(clean_line(text).split())} ".lstrip()
    while cell_len(line) > max(width, 0):
        line = f"…{line[2:]}" if len(line) > 2 else ""
    return line

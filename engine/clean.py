"""Makes foreign text safe to show: the one function between hostile text and a terminal.

Foreign text is everything that this program did not write itself: answers, questions, names of files and models, server
errors, log lines. It is stored raw and shown clean. Knows nothing of terminals, widgets or markup.

What stays: every visible character, newline, tab, and the two variation selectors that choose text or emoji looks.
What becomes visible: C0 controls and DEL as their control pictures (`␛`), everything else that has no glyph of its own
(C1, bidi controls, zero-width and other default-ignorable code points, line separators) as `‹U+202E›`. Lone
surrogates, which no terminal can be sent, become U+FFFD. `\\r\\n` and a lone `\\r` become newlines, so that neither
can overwrite a line, and a stream need not hold back a character to see what follows. A joiner after an emoji is
dropped: a family is shown as its members, because terminals do not agree on how wide a joined one is.
"""

import re
import unicodedata

# Default_Ignorable_Code_Point of Unicode 15 but for U+FE0E and U+FE0F, C1 controls, the separators that terminals and
# `str.splitlines` treat as line ends, and the interlinear annotations.
_WITHOUT_GLYPH = (
    "\x80-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_EMOJI = "[\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
_ENDS_WITH_EMOJI = re.compile(f"{_EMOJI}\ufe0f?\\Z")
_JOINER = f"(?P<joiner>\u200d(?:(?<={_EMOJI}\u200d)|(?<={_EMOJI}\ufe0f\u200d)))"
_FOREIGN = re.compile(f"{_JOINER}|\r\n?|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff{_WITHOUT_GLYPH}]")
_ELLIPSIS = "…"
REASON_CELLS = 300  # how much of the last line of another program's output is worth showing
# Cleaning a whole ten-megabyte answer to show one line of it would stall the user interface.
_CHARACTERS_A_CELL = 16


def clean_text(text: str) -> str:
    """Return `text` without anything that a terminal would obey or hide; the only controls left are newline and tab.

    Idempotent, and independent of how a stream was split (`StreamCleaner`).
    """
    return _FOREIGN.sub(_shown, text)


def clean_line(text: str, width: int | None = None) -> str:
    """`clean_text` on one line: newlines and tabs become spaces; cut with `…` at `width` terminal cells."""
    if width is None:
        return _on_one_line(text)
    if width <= 0:
        return ""
    head = text[: width * _CHARACTERS_A_CELL]
    return _cut(_on_one_line(head), width, more_follows=len(head) < len(text))


def mask_controls(text: str) -> str:
    """Like `clean_text`, but with one character for each, so that positions match the text that is edited."""
    return _FOREIGN.sub(lambda found: "".join(map(_veiled, found.group())), text)


def strip_controls(text: str) -> str:
    """Return `text` without the characters that `clean_text` would replace, for lines whose layout is fixed."""
    return _FOREIGN.sub("", text)


class StreamCleaner:
    """`clean_text` for text that arrives in pieces: the joined results equal the result for the joined pieces."""

    def __init__(self) -> None:
        self._after_return = False
        self._emoji = ""  # that the text so far ends with

    def feed(self, chunk: str) -> str:
        """Return the clean form of the next piece; nothing is held back."""
        if not chunk:
            return ""
        rest = chunk[1:] if self._after_return and chunk[0] == "\n" else chunk
        self._after_return = chunk[-1] == "\r"
        before, whole = self._emoji, self._emoji + rest
        found = _ENDS_WITH_EMOJI.search(whole, max(len(whole) - 2, 0))
        self._emoji = found.group() if found else ""
        return clean_text(whole)[len(before) :]


def _shown(match: re.Match[str]) -> str:
    if match["joiner"]:
        return ""
    found = match.group()
    code = ord(found[0])
    if found[0] == "\r":
        return "\n"
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"‹U+{code:04X}›"


def _veiled(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def _on_one_line(text: str) -> str:
    return clean_text(text).replace("\n", " ").replace("\t", " ")


def _cut(line: str, width: int, *, more_follows: bool) -> str:
    used = 0
    fits = 0  # characters that leave room for the ellipsis
    for index, character in enumerate(line):
        cells = _cells(character)
        if used + cells > width:
            return line[:fits] + _ELLIPSIS
        used += cells
        if used < width:
            fits = index + 1
    return line[:fits] + _ELLIPSIS if more_follows else line


def cell_width(line: str) -> int:
    """Return how many terminal cells a clean line takes, counted as `clean_line` does."""
    return sum(map(_cells, line))


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me") or character in "\ufe0e\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1

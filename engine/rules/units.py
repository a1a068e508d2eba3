"""Words, sentences and lines of an answer: what the length check counts. Knows nothing of rules.

Words: runs without white space that contain a letter or a digit, so dashes and bullets do not count. Text without
spaces between words (Chinese, Japanese, Thai) counts as a few long words: limit its sentences or lines instead.

Sentences: a sentence ends at `.`, `!`, `?` or `…` (with closing quotes, brackets or emphasis) before white space, at
`。！？` anywhere, and at a line's end, because answers are not hard-wrapped. It must contain a letter or a digit.
So “RISK SCORE: 3.” is a sentence, and so is each item of a list. These do not end a sentence: the point of a decimal
(3.5), of an abbreviation in the list below, of an initial (J. Smith) or of an enumeration (“1. ” at the start of a
line), and an ellipsis before a lower-case word.

Lines: those that are not blank.
"""

import re
from collections.abc import Iterator

from engine.records.rule import LengthUnit, Span

_SHORTENED = (
    "e.g i.e etc vs cf al mr mrs ms dr prof st jr sr no nr inc ltd corp co dept approx est fig vol ed a.m p.m u.s u.k "
    "jan feb mar apr jun jul aug sep sept oct nov dec z.b d.h usw bzw ca evtl ggf inkl p.ex sra"
)
_ABBREVIATIONS = frozenset(_SHORTENED.split())
# These can also end a sentence; before a capital, they are taken as its end.
_CLOSING = "etc a.m p.m inc ltd corp co usw al u.s u.k no est jr sr"
_AMBIGUOUS = frozenset(_CLOSING.split())
_WORD = re.compile(r"\S+")
_END = re.compile(r"[.!?…]+[\"'”’»)\]}*_`]*(?=\s|$)|[。！？]+[」』”’）]*")
_ENUMERATION = re.compile(r"\s*(?:[-*•]\s+)?(?:\d{1,3}|[A-Za-z])\.")
_OPENING = "\"'“‘«([{*_`"
_NEXT = re.compile(rf"[^ \t{re.escape(_OPENING)}]")
_LOOKED_BACK = 80  # characters: copying all text before each end would take minutes in a long answer


def unit_spans(text: str, unit: LengthUnit) -> tuple[Span, ...]:
    """The span of each word, sentence or line of `text`, in order."""
    if unit == "words":
        return tuple(Span(*m.span()) for m in _WORD.finditer(text) if _holds_content(m.group()))
    lines = _lines(text)
    if unit == "lines":
        return tuple(lines)
    return tuple(sentence for line in lines for sentence in _sentences(text, line))


def _holds_content(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return Span(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))


def _lines(text: str) -> Iterator[Span]:
    position = 0
    for line in text.splitlines(keepends=True):
        if line.strip():
            yield _trimmed(text, position, position + len(line))
        position += len(line)


def _sentences(text: str, line: Span) -> Iterator[Span]:
    start = line.start
    for found in _END.finditer(text, line.start, line.end):
        if _ends_sentence(text, start, found, line):
            if _holds_content(text[start : found.end()]):
                yield _trimmed(text, start, found.end())
            start = found.end()
    if _holds_content(text[start : line.end]):
        yield _trimmed(text, start, line.end)


def _ends_sentence(text: str, start: int, found: "re.Match[str]", line: Span) -> bool:
    if found.end() >= line.end:
        return True
    after = _NEXT.search(text, found.end(), line.end)
    following = after.group() if after is not None else ""
    stops = found.group().rstrip("\"'”’»)]}*_`")
    if stops in ("…", "..", "..."):
        return not following.islower()
    if stops != ".":
        return True
    if start == line.start and _ENUMERATION.fullmatch(text, start, found.start() + 1):
        return False
    before = text[max(start, found.start() - _LOOKED_BACK) : found.start()].split()
    word = before[-1].lstrip(_OPENING).casefold() if before else ""
    if len(word) == 1 and word.isalpha() and before[-1][-1:].isupper() and len(before) > 1:
        return word == "i"  # “so do I. Then” ends; the initial in “J. Smith” does not
    if word in _ABBREVIATIONS:
        return word in _AMBIGUOUS and following.isupper()
    return True

"""Which characters of a Markdown document to highlight: headings, turns, lists, code. Pure; knows no colours.

A light line-by-line parser for highlighting only: what it does not understand stays plain.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

MarkKind = Literal["turn", "heading", "list", "quote", "code", "strong"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters `start:end` of a line."""

    start: int
    end: int
    kind: MarkKind


LONGEST_MARKED = 10_000  # characters; a longer line is not prose worth highlighting
_TURN = re.compile(r"## (?:system|user|assistant)[ \t]*", re.IGNORECASE)
_HEADING = re.compile(r"#{1,6} ")
_LIST = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])(?= )")
_QUOTE = re.compile(r"\s*>")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_INLINE: tuple[tuple[MarkKind, "re.Pattern[str]"], ...] = (
    ("code", re.compile(r"`[^`\n]+`")),
    ("strong", re.compile(r"\*\*[^*\n]+\*\*")),
)


def code_lines(lines: Iterable[str]) -> list[bool]:
    """Return for each line whether it is in a fenced code block, fences included."""
    found: list[bool] = []
    inside = False
    for line in lines:
        fence = _FENCE.match(line) is not None
        found.append(inside or fence)
        inside = inside != fence
    return found


def marks_of(line: str, *, code: bool = False, turns: bool = True) -> list[Mark]:
    """Return the marks of one line. `code`: it is in a fenced block. `turns`: headings may start example turns."""
    if code:
        return [Mark(0, len(line), "code")] if line else []
    if len(line) > LONGEST_MARKED:
        return []
    if turns and _TURN.fullmatch(line):
        return [Mark(0, len(line), "turn")]
    if _HEADING.match(line):
        return [Mark(0, len(line), "heading")]
    marks: list[Mark] = []
    if found := _QUOTE.match(line):
        marks.append(Mark(0, len(line), "quote"))
    elif found := _LIST.match(line):
        marks.append(Mark(0, found.end(), "list"))
    for kind, pattern in _INLINE:
        marks += [Mark(*found.span(), kind) for found in pattern.finditer(line)]
    return marks

"""Two texts line by line, and word by word within a line that changed. Knows nothing of prompts or of colours.

The lines of a changed block are paired in order. A pair with little in common is marked as a whole, because marks on
every second word are harder to read than none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Literal

LineKind = Literal["same", "removed", "added", "gap"]

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_ALIKE = 0.4  # share of common words in a pair from which single words are marked


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line; `changed` if the other text has something else in its place."""

    text: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class ComparedLine:
    """One line of a comparison. A gap stands for `left_out` unchanged lines."""

    kind: LineKind
    pieces: tuple[Piece, ...] = ()
    left_out: int = 0

    @property
    def text(self) -> str:
        """The line as plain text."""
        return "".join(piece.text for piece in self.pieces)


def compare_texts(before: str, after: str, context: int | None = None) -> tuple[ComparedLine, ...]:
    """Compare `before` with `after`, line by line. Empty if they are the same.

    Args:
        before: the older text.
        after: the newer text.
        context: how many unchanged lines to show around a change; None: all.
    """
    if before == after:
        return ()
    old, new = before.split("\n"), after.split("\n")
    # Above 200 items (lines here, words below), the matcher ignores very frequent ones such as empty lines. Otherwise a
    # few hundred of them, or a page without line ends, would take a minute.
    lines: list[ComparedLine] = []
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new).get_opcodes():
        if kind == "equal":
            lines += [ComparedLine("same", (Piece(line),)) for line in old[old_from:old_to]]
        else:
            lines += _changed(old[old_from:old_to], new[new_from:new_to])
    return tuple(lines) if context is None else _folded(lines, context)


def _changed(old: Sequence[str], new: Sequence[str]) -> list[ComparedLine]:
    """Return all removed lines of a block, then all added ones, as in a diff."""
    removed: list[ComparedLine] = []
    added: list[ComparedLine] = []
    for before, after in zip_longest(old, new):
        old_pieces, new_pieces = _words(before or "", after or "")
        if before is not None:
            removed.append(ComparedLine("removed", old_pieces))
        if after is not None:
            added.append(ComparedLine("added", new_pieces))
    return removed + added


def _words(before: str, after: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    whole = (Piece(before, changed=True),), (Piece(after, changed=True),)
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    matcher = SequenceMatcher(None, old, new)
    if not old or not new or matcher.ratio() < _ALIKE:
        return whole
    old_pieces: list[Piece] = []
    new_pieces: list[Piece] = []
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        changed = kind != "equal"
        if old_to > old_from:
            old_pieces.append(Piece("".join(old[old_from:old_to]), changed))
        if new_to > new_from:
            new_pieces.append(Piece("".join(new[new_from:new_to]), changed))
    return tuple(old_pieces), tuple(new_pieces)


def _folded(lines: Sequence[ComparedLine], context: int) -> tuple[ComparedLine, ...]:
    near = [False] * len(lines)
    for position, line in enumerate(lines):
        if line.kind != "same":
            first, last = max(position - context, 0), min(position + context + 1, len(lines))
            near[first:last] = [True] * (last - first)
    folded: list[ComparedLine] = []
    left_out = 0
    for line, kept in zip(lines, near, strict=True):
        if not kept:
            left_out += 1
            continue
        if left_out:
            folded.append(ComparedLine("gap", left_out=left_out))
            left_out = 0
        folded.append(line)
    if left_out:
        folded.append(ComparedLine("gap", left_out=left_out))
    return tuple(folded)

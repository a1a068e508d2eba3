"""Finds passages of the prompt in rows that the student would be trained on.

There are two kinds of finding. `message`: a question or an answer contains a whole message of the prompt. Messages of
fewer than 13 words are ordinary speech ("Which card is it?"), so a short system message counts only if it is the whole
text, and a short example turn never counts. `overlap`: 13 or more consecutive words of the system message that no
example turn contains. Words of an answer that a rule dictates count for neither, because the student should say them.

Words are compared ignoring case and punctuation; scripts without spaces are compared by character.
Knows nothing of tokens or of the store.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.records.dataset import LeakFinding, LeakKind
from engine.records.prompt import Prompt
from engine.records.rule import Span
from engine.scripts import WORD

LEAK_WORDS = 13  # consecutive words; shorter overlaps happen by chance in texts on the same subject


@dataclass(frozen=True, slots=True)
class RowText:
    """The text of one example that the student would see: question, answer, and the parts that rules dictate."""

    example_id: int
    question_id: int
    question: tuple[str, ...]
    answer: str
    dictated: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class _Words:
    """A text as word numbers (-1: not in the prompt), with each word's character span."""

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


def find_leaks(prompt: Prompt, rows: Iterable[RowText]) -> tuple[LeakFinding, ...]:
    """Return all findings, at most one per text of a row. Takes linear time in the number of words."""
    scanner = _Scanner(prompt)
    findings: list[LeakFinding] = []
    for row in rows:
        texts = [(text, ()) for text in row.question] + [(row.answer, row.dictated)]
        for text, dictated in texts:
            for kind, words in scanner.scan(text, dictated):
                findings.append(LeakFinding(row.example_id, row.question_id, kind, words))
    return tuple(findings)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Consecutive words shared by a text and the system message, as written in the text; 0 and empty if none."""

    words: int = 0
    text: str = ""


def longest_overlap(prompt: Prompt, text: str) -> Overlap:
    """Return the longest run of words in `text` that is also in the system message; the first one if tied.

    A text with a run of n words also has one of n − 1, so the length is found by bisection.
    """
    system = tuple(_words_of(prompt.system))
    found = list(WORD.finditer(text))
    words = tuple(_plain(match.group()) for match in found)
    longest, at = 0, 0
    too_long = min(len(system), len(words)) + 1
    while too_long - longest > 1:
        size = (longest + too_long) // 2
        grams = {system[start : start + size] for start in range(len(system) - size + 1)}
        place = next((start for start in range(len(words) - size + 1) if words[start : start + size] in grams), None)
        if place is None:
            too_long = size
        else:
            longest, at = size, place
    return Overlap(longest, text[found[at].start() : found[at + longest - 1].end()]) if longest else Overlap()


class _Scanner:
    def __init__(self, prompt: Prompt) -> None:
        self._numbers: dict[str, int] = {}
        for message in prompt.messages:
            for word in _words_of(message.content):
                self._numbers.setdefault(word, len(self._numbers))
        messages = [self._number(message.content).ids for message in prompt.messages]
        self._whole_by_start: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        for ids in messages:
            if len(ids) >= LEAK_WORDS:
                self._whole_by_start.setdefault(ids[:LEAK_WORDS], []).append(ids)
        system = self._number(prompt.system).ids
        self._short_system = system if 0 < len(system) < LEAK_WORDS else None
        shown = {gram for turn in prompt.example_turns for gram in _grams(self._number(turn.content).ids)}
        self._system_grams = set(_grams(system)) - shown

    def scan(self, text: str, dictated: Sequence[Span]) -> Iterator[tuple[LeakKind, str]]:
        """Iterate over the findings as (kind, words as written in the text)."""
        words = self._number(text)
        free = [not any(span.start <= start and end <= span.end for span in dictated) for start, end in words.spans]
        if self._short_system is not None and words.ids == self._short_system and any(free):
            yield "message", text
            return
        message: tuple[int, int] | None = None
        overlap: tuple[int, int] | None = None
        for at in self._candidates(words.ids):
            gram = words.ids[at : at + LEAK_WORDS]
            for whole in self._whole_by_start.get(gram, ()):
                end = at + len(whole)
                if message is None and words.ids[at:end] == whole and sum(free[at:end]) >= LEAK_WORDS:
                    message = (at, end)
            if gram in self._system_grams and all(free[at : at + LEAK_WORDS]):
                if overlap is None:
                    overlap = (at, at + LEAK_WORDS)
                elif at <= overlap[1] - LEAK_WORDS + 1:
                    overlap = (overlap[0], at + LEAK_WORDS)
        if message is not None:
            yield "message", _excerpt(text, words, message)
        elif overlap is not None:
            yield "overlap", _excerpt(text, words, overlap)

    def _candidates(self, ids: tuple[int, ...]) -> Iterator[int]:
        """Iterate over the starts of runs of 13 words that all occur in the prompt; only these need comparing."""
        run = 0
        for at, number in enumerate(ids):
            run = run + 1 if number >= 0 else 0
            if run >= LEAK_WORDS:
                yield at - LEAK_WORDS + 1

    def _number(self, text: str) -> _Words:
        ids: list[int] = []
        spans: list[tuple[int, int]] = []
        for match in WORD.finditer(text):
            ids.append(self._numbers.get(_plain(match.group()), -1))
            spans.append(match.span())
        return _Words(tuple(ids), tuple(spans))


def _words_of(text: str) -> Iterator[str]:
    return (_plain(match.group()) for match in WORD.finditer(text))


def _plain(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold()


def _grams(ids: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return (ids[at : at + LEAK_WORDS] for at in range(len(ids) - LEAK_WORDS + 1))


def _excerpt(text: str, words: _Words, where: tuple[int, int]) -> str:
    first, last = words.spans[where[0]], words.spans[where[1] - 1]
    return text[first[0] : last[1]]

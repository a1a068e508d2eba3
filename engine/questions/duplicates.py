"""Near twins among questions: MinHash finds the candidates, the exact Jaccard similarity of word 3-shingles decides.

Two questions are compared by the words of all their messages, whatever case, punctuation and width of characters.
Deterministic: the same questions in the same order give the same twins. Knows nothing of the store.

MinHash: Broder, «On the resemblance and containment of documents», 1997; banding as in datasketch's MinHashLSH.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from engine.records.question import Question

NEAR_TWIN = 0.7  # similarity from which two questions count as twins

_SHINGLE_WORDS = 3
_PERMUTATIONS = 128
_SEED = 1
# The bands are laid out for a lower threshold: a candidate costs a set intersection, a twin that is missed costs more.
# At a threshold of 0.7 this gives 32 bands of 4: a pair just at it is found with probability 1 − (1 − 0.7⁴)³² > 0.999.
_BAND_MARGIN = 0.6
_WORD = re.compile(r"\w+")

_Shingles = frozenset[str]


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Question `dropped` repeats question `kept` (both by id)."""

    kept: int
    dropped: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Twin:
    """An earlier question by its position, and how similar it is."""

    position: int
    similarity: float


def find_duplicates(questions: Sequence[Question], threshold: float = NEAR_TWIN) -> tuple[DuplicatePair, ...]:
    """Every question that repeats an earlier one, with the most similar one that stays. Of twins the first stays."""
    dropped: set[int] = set()
    pairs: list[DuplicatePair] = []
    for position, twins in enumerate(earlier_twins(questions, threshold)):
        stay = [twin for twin in twins if twin.position not in dropped]
        if stay:
            best = max(stay, key=lambda twin: (twin.similarity, -twin.position))
            dropped.add(position)
            pairs.append(DuplicatePair(questions[best.position].id, questions[position].id, best.similarity))
    return tuple(pairs)


def earlier_twins(questions: Sequence[Question], threshold: float = NEAR_TWIN) -> list[list[Twin]]:
    """For each question those before it whose similarity is at least `threshold`, in order.

    Of questions with the very same shingles only the first stands for all.
    """
    from datasketch import MinHash, MinHashLSH

    index = cast("_Index", MinHashLSH(threshold=threshold * _BAND_MARGIN, num_perm=_PERMUTATIONS))
    blank = MinHash(num_perm=_PERMUTATIONS, seed=_SEED)  # copied: drawing the permutations anew costs more than hashing
    shingles = [_shingles(question) for question in questions]
    first_with: dict[_Shingles, int] = {}
    result: list[list[Twin]] = []
    for position, own in enumerate(shingles):
        if own in first_with:
            result.append([Twin(first_with[own], 1.0)])
            continue
        first_with[own] = position
        sketch = blank.copy()
        sketch.update_batch([shingle.encode("utf-8", "surrogatepass") for shingle in sorted(own)])
        twins = [Twin(other, _jaccard(own, shingles[other])) for other in sorted(index.query(sketch))]
        result.append([twin for twin in twins if twin.similarity >= threshold])
        index.insert(position, sketch)
    return result


def twins_of(question: Question, others: Sequence[Question], threshold: float = NEAR_TWIN) -> list[Twin]:
    """Those of `others` whose similarity to one question is at least `threshold`, the most similar first.

    One against many is compared outright: no sketch is made.
    """
    own = _shingles(question)
    twins = [Twin(position, _jaccard(own, _shingles(other))) for position, other in enumerate(others)]
    return sorted((twin for twin in twins if twin.similarity >= threshold), key=lambda twin: -twin.similarity)


class _Index(Protocol):
    def query(self, minhash: object) -> list[int]: ...

    def insert(self, key: int, minhash: object) -> None: ...


def _shingles(question: Question) -> _Shingles:
    text = "\n".join(message.content for message in question.messages)
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    if not words:
        return frozenset([text])  # nothing but signs: only the very same text is a twin
    last = max(len(words) - _SHINGLE_WORDS, 0)
    return frozenset(" ".join(words[start : start + _SHINGLE_WORDS]) for start in range(last + 1))


def _jaccard(one: _Shingles, other: _Shingles) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)

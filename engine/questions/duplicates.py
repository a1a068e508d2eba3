"""Near twins among questions: MinHash finds candidates, the exact Jaccard similarity of word 3-shingles decides.

Questions are compared by the words of all their messages, ignoring case, punctuation and character width; in scripts
without spaces, by their characters.
Deterministic: the same questions in the same order give the same twins. Knows nothing of the store.

MinHash: Broder, “On the resemblance and containment of documents”, 1997; banding as in datasketch's MinHashLSH.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from engine.records.question import Question
from engine.scripts import WORD

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NEAR_TWIN = 0.7  # similarity at or above which two questions count as twins

_SHINGLE_WORDS = 3
_PERMUTATIONS = 128
_SEED = 1
# The bands use a lower threshold: a candidate only costs a set intersection, a missed twin costs more.
# For a threshold of 0.7 this gives 29 bands of 4: a pair at exactly 0.7 is found with p = 1 − (1 − 0.7⁴)²⁹ > 0.999.
_BAND_MARGIN = 0.6

_Shingles = frozenset[str]


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Question `dropped` repeats question `kept` (both by id)."""

    kept: int
    dropped: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Twin:
    """One of several questions, by position, and its similarity."""

    position: int
    similarity: float


class UnionFind:
    """Disjoint sets of positions, from 0, joined by ties (union-find)."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def tie(self, one: int, other: int) -> None:
        """Join the groups of both."""
        first, second = sorted((self.root(one), self.root(other)))
        self._parent[second] = first

    def root(self, position: int) -> int:
        """Return a number shared by the whole group. It changes if the group is joined with an earlier one."""
        while self._parent[position] != position:
            self._parent[position] = self._parent[self._parent[position]]
            position = self._parent[position]
        return position


def find_duplicates(questions: Sequence[Question], threshold: float = NEAR_TWIN) -> tuple[DuplicatePair, ...]:
    """Return every question that repeats an earlier one, with the most similar kept one. The first of twins is kept."""
    bands = _Bands(threshold)
    staying: dict[_Shingles, int] = {}
    shingles: dict[int, _Shingles] = {}
    buckets: dict[bytes, list[int]] = {}  # only of kept questions, so that a thousand repeats cost no more than one
    pairs: list[DuplicatePair] = []
    for position, question in enumerate(questions):
        own = _shingles(question)
        best = Twin(staying[own], 1.0) if own in staying else None
        if best is None:
            keys = bands.of(own)
            near = {other for key in keys for other in buckets.get(key, ())}
            twins = [Twin(other, _jaccard(own, shingles[other])) for other in near]
            alike = [twin for twin in twins if twin.similarity >= threshold]
            best = max(alike, key=lambda twin: (twin.similarity, -twin.position), default=None)
            if best is None:
                staying[own], shingles[position] = position, own
                for key in keys:
                    buckets.setdefault(key, []).append(position)
                continue
        pairs.append(DuplicatePair(questions[best.position].id, question.id, best.similarity))
    return tuple(pairs)


def ties_to_earlier(questions: Sequence[Question], threshold: float = NEAR_TWIN) -> list[list[int]]:
    """Return, per question, the positions of earlier twins: the first one found in each group of connected twins.

    Following all ties leads to every twin. One tie per group is enough for that: if thousands of questions are all
    twins of each other, listing every pair would take hours and fill the memory.
    """
    bands, groups = _Bands(threshold), UnionFind(len(questions))
    shingles = [_shingles(question) for question in questions]
    first_with: dict[_Shingles, int] = {}
    buckets: dict[bytes, dict[int, list[int]]] = {}  # bucket → members by the root of their group when added
    ties: list[list[int]] = []
    for position, own in enumerate(shingles):
        found: list[int] = []
        if own in first_with:
            found.append(first_with[own])
            groups.tie(position, first_with[own])
        else:
            first_with[own] = position
            keys = bands.of(own)
            compared: set[int] = set()
            for key in keys:
                for root, members in _regrouped(buckets.setdefault(key, {}), groups).items():
                    if groups.root(root) == groups.root(position):
                        continue
                    for other in members:
                        if other not in compared and _jaccard(own, shingles[other]) >= threshold:
                            found.append(other)
                            groups.tie(position, other)
                            break
                        compared.add(other)
            for key in keys:
                buckets[key].setdefault(groups.root(position), []).append(position)
        ties.append(found)
    return ties


def _regrouped(bucket: dict[int, list[int]], groups: UnionFind) -> dict[int, list[int]]:
    for old in [root for root in bucket if groups.root(root) != root]:
        bucket.setdefault(groups.root(old), []).extend(bucket.pop(old))
    return bucket


def twins_of(question: Question, others: Sequence[Question]) -> list[Twin]:
    """Return those of `others` that are near twins of one question, most similar first.

    One question is compared with all others directly, without sketches.
    """
    own = _shingles(question)
    twins = [Twin(position, _jaccard(own, _shingles(other))) for position, other in enumerate(others)]
    return sorted((twin for twin in twins if twin.similarity >= NEAR_TWIN), key=lambda twin: -twin.similarity)


class _Bands:
    """Computes the bands of a text's sketch. Texts without a common band are not compared."""

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHash, MinHashLSH

        layout = MinHashLSH(threshold=threshold * _BAND_MARGIN, num_perm=_PERMUTATIONS)
        self._bands, self._rows = cast("tuple[int, int]", (layout.b, layout.r))
        # Copied for each text: drawing the permutations again costs more than hashing.
        self._blank = cast("_Sketch", MinHash(num_perm=_PERMUTATIONS, seed=_SEED))

    def of(self, shingles: _Shingles) -> list[bytes]:
        sketch = self._blank.copy()
        sketch.update_batch([shingle.encode("utf-8", "surrogatepass") for shingle in shingles])
        parts = sketch.hashvalues[: self._bands * self._rows].reshape(self._bands, self._rows)
        return [bytes((band,)) + part.tobytes() for band, part in enumerate(parts)]


class _Sketch(Protocol):
    hashvalues: "npt.NDArray[np.uint32]"

    def copy(self) -> "_Sketch": ...

    def update_batch(self, b: list[bytes]) -> None: ...


def _shingles(question: Question) -> _Shingles:
    text = "\n".join(message.content for message in question.messages)
    words = WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    if not words:
        return frozenset([text])  # punctuation only: just identical texts are twins
    last = max(len(words) - _SHINGLE_WORDS, 0)
    return frozenset(" ".join(words[start : start + _SHINGLE_WORDS]) for start in range(last + 1))


def _jaccard(one: _Shingles, other: _Shingles) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)

"""The outcome of both orders of a pair, and how far two judges of the same pairs agree. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from engine.evaluation.statistics import wilson
from engine.records.preference import Agreement, Better

PairOutcome = Literal["win", "tie", "loss"]  # for the first of two answers


def outcome(first_shown_first: Better, first_shown_second: Better) -> PairOutcome:
    """The outcome for the answer shown as A, then as B: a win or loss if both orders agree, otherwise a tie."""
    if (first_shown_first, first_shown_second) == ("A", "B"):
        return "win"
    return "loss" if (first_shown_first, first_shown_second) == ("B", "A") else "tie"


def flipped(first_shown_first: Better, first_shown_second: Better) -> bool:
    """Whether the position was preferred rather than an answer."""
    return first_shown_first == first_shown_second != "tie"


def agreement(pairs: Sequence[tuple[PairOutcome, PairOutcome]]) -> Agreement | None:
    """The agreement over pairs that both judged, given as (one, the other); None without pairs.

    Source: Cohen 1960: (observed − expected) / (1 − expected) over the three outcomes, unweighted.
    """
    if not pairs:
        return None
    same = sum(one == other for one, other in pairs)
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    expected = sum(ones[each] * others[each] for each in ones) / len(pairs) ** 2
    kappa = (same / len(pairs) - expected) / (1 - expected) if expected < 1 else None
    return Agreement(wilson(same, len(pairs)), kappa)

"""A person's votes on pairs of arms: wins, ties, and the win rate with its interval. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from engine.evaluation.statistics import wilson
from engine.records.evaluation import Rate
from engine.records.vote import Vote


@dataclass(frozen=True, slots=True)
class Standing:
    """The votes on two arms, `blind` of them with the arms' names hidden.

    `win_rate` is the first arm's share of the votes that preferred one of the two, with the 95 % Wilson interval; ties
    and “both bad” prefer neither and are counted separately. None if there is no such vote.
    """

    first: int = 0
    second: int = 0
    ties: int = 0
    both_bad: int = 0
    blind: int = 0
    win_rate: Rate | None = None

    @property
    def votes(self) -> int:
        """The number of all votes."""
        return self.first + self.second + self.ties + self.both_bad


@dataclass(frozen=True, slots=True)
class PairStanding:
    """Two arms, as the server names them, and the votes on them from the perspective of the first."""

    first: str
    second: str
    standing: Standing


def standings(votes: Sequence[Vote], run_id: int) -> tuple[PairStanding, ...]:
    """Every pair of arms with votes, except pairs of other runs only; students first, most votes first."""
    pairs: dict[tuple[str, str], list[Vote]] = defaultdict(list)
    for vote in votes:
        first, second = sorted((vote.left, vote.right), key=lambda arm: (not _is_student(arm), arm))
        if not _is_student(first) or f"run-{run_id}" in map(_run_of, (first, second)):
            pairs[first, second].append(vote)
    found = [PairStanding(*pair, standing(cast, pair[0])) for pair, cast in pairs.items()]
    return tuple(sorted(found, key=lambda each: (-each.standing.votes, each.first, each.second)))


def _is_student(arm: str) -> bool:
    return arm.startswith("run-")


def _run_of(arm: str) -> str:
    """The run in an arm's name, without the strength or the prompt suffix."""
    return arm.partition("+")[0].partition("@")[0]


def standing(votes: Sequence[Vote], first: str) -> Standing:
    """Count the votes on two arms, with `first` as the first of them."""
    preferred = [
        vote.left if vote.choice == "left" else vote.right for vote in votes if vote.choice in ("left", "right")
    ]
    wins = preferred.count(first)
    return Standing(
        first=wins,
        second=len(preferred) - wins,
        ties=sum(vote.choice == "tie" for vote in votes),
        both_bad=sum(vote.choice == "both_bad" for vote in votes),
        blind=sum(vote.blind for vote in votes),
        win_rate=wilson(wins, len(preferred)) if preferred else None,
    )

"""How a person's votes on pairs of arms stand: wins, ties, and the rate of wins with its interval. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from engine.evaluation.statistics import wilson
from engine.records.evaluation import Rate
from engine.records.vote import Vote


@dataclass(frozen=True, slots=True)
class Standing:
    """The votes on two arms, `blind` of them without the arms' names in sight.

    `win_rate` is the first arm's share of the votes that preferred one of the two, with the 95 % Wilson interval; ties
    and «both bad» prefer none, and are told beside it. None before there is such a vote.
    """

    first: int = 0
    second: int = 0
    ties: int = 0
    both_bad: int = 0
    blind: int = 0
    win_rate: Rate | None = None

    @property
    def votes(self) -> int:
        """All of them."""
        return self.first + self.second + self.ties + self.both_bad


@dataclass(frozen=True, slots=True)
class PairStanding:
    """Two arms, as the server names them, and how the votes on them stand, from the side of the first."""

    first: str
    second: str
    standing: Standing


def standings(votes: Sequence[Vote], run_id: int) -> tuple[PairStanding, ...]:
    """Every pair of arms that was voted on, but those of other runs alone; students first, most votes first."""
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
    """The run in an arm's name, without the strength or the prompt that it is answered with."""
    return arm.partition("+")[0].partition("@")[0]


def standing(votes: Sequence[Vote], first: str) -> Standing:
    """Count the votes on two arms, of which `first` is named first."""
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

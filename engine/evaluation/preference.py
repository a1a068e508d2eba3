"""How a person's votes on two arms stand: wins, ties, and the rate of wins with its interval. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.evaluation.statistics import wilson
from engine.records.evaluation import Rate
from engine.records.vote import Vote


@dataclass(frozen=True, slots=True)
class Standing:
    """The votes on two arms. `win_rate` is the first arm's share of the votes that preferred one of the two, with the
    95 % Wilson interval; ties and «both bad» prefer none, and are told beside it. None before there is such a vote.
    """

    first: int = 0
    second: int = 0
    ties: int = 0
    both_bad: int = 0
    win_rate: Rate | None = None

    @property
    def votes(self) -> int:
        """All of them."""
        return self.first + self.second + self.ties + self.both_bad


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
        win_rate=wilson(wins, len(preferred)) if preferred else None,
    )

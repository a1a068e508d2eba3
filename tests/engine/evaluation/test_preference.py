"""The standing of votes, against a count by hand and scipy's Wilson interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from engine.evaluation.preference import standing, standings
from engine.records.vote import Vote, VoteChoice

ARMS = ("prompted", "run-1")
VOTES = st.lists(st.tuples(st.sampled_from(["left", "right", "tie", "both_bad"]), st.booleans()), max_size=60)


@given(VOTES)
def test_standing_ignores_sides_and_its_interval_equals_scipys_wilson(cast: list[tuple[VoteChoice, bool]]) -> None:
    votes, wins, losses = [], 0, 0
    for choice, swapped in cast:
        left, right = ARMS[::-1] if swapped else ARMS
        votes.append(Vote((), left, right, "", "", choice, blind=True))
        if choice in ("left", "right"):
            first = (choice == "left") != swapped
            wins, losses = wins + first, losses + (not first)
    found = standing(votes, ARMS[0])
    assert (found.first, found.second, found.votes) == (wins, losses, len(cast))
    if wins + losses == 0:
        assert found.win_rate is None
        return
    assert found.win_rate is not None
    interval = binomtest(wins, wins + losses).proportion_ci(method="wilson")
    assert found.win_rate.rate == pytest.approx(wins / (wins + losses))
    assert (found.win_rate.low, found.win_rate.high) == pytest.approx((interval.low, interval.high))


def test_standings_cover_every_pair_of_the_run_from_the_students_side() -> None:
    def vote(left: str, right: str, choice: VoteChoice, *, blind: bool = True) -> Vote:
        return Vote((), left, right, "", "", choice, blind=blind)

    votes = [
        vote("prompted", "run-1", "right"),
        vote("run-1", "prompted", "both_bad", blind=False),
        vote("run-1@60", "run-2+prompt", "left"),
        vote("run-2", "prompted", "left"),
        vote("run-12", "prompted", "left"),
        vote("unprompted", "prompted", "tie"),
    ]
    found = [(each.first, each.second, each.standing.votes, each.standing.blind) for each in standings(votes, 1)]
    assert found == [
        ("run-1", "prompted", 2, 1), ("prompted", "unprompted", 1, 1), ("run-1@60", "run-2+prompt", 1, 1),
    ]  # fmt: skip
    assert standings(votes, 1)[0].standing.first == 1
    assert [each.first for each in standings(votes, 2)] == ["prompted", "run-1@60", "run-2"]
    assert standings([], 1) == ()

"""How votes stand, against counting by hand and scipy's Wilson interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from engine.evaluation.preference import standing
from engine.records.vote import Vote

ARMS = ("prompted", "run-1")
VOTES = st.lists(st.tuples(st.sampled_from(["left", "right", "tie", "both_bad"]), st.booleans()), max_size=60)


@given(VOTES)
def test_sides_do_not_matter_and_the_interval_is_wilsons(cast: list[tuple[str, bool]]) -> None:
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

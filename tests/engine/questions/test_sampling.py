"""A few out of many are of all of them, and a few more are the same few and others."""

from collections import Counter
from itertools import pairwise

import pytest

from engine.questions.sampling import stable_sample

# Topics of many sizes, as imports leave them: one after another, with held-out ones among them.
GROUPS = {
    number + 1: group
    for number, group in enumerate(
        ["a"] * 40 + ["b"] * 8 + ["held out"] * 12 + ["c"] * 30 + [f"rare {n}" for n in range(30)]
    )
}


def test_a_larger_share_holds_every_smaller_one() -> None:
    shares = [stable_sample(GROUPS, count) for count in range(1, len(GROUPS) + 2)]
    assert [len(share) for share in shares] == [*range(1, len(GROUPS) + 1), len(GROUPS)]
    assert all(smaller <= larger for smaller, larger in pairwise(shares))
    assert stable_sample(GROUPS, None) == frozenset(GROUPS)
    assert stable_sample({}, 3) == frozenset()


@pytest.mark.parametrize("count", [6, 12, 24, 60, 100])
def test_every_group_has_its_part_of_any_share(count: int) -> None:
    taken = Counter(GROUPS[number][:4] for number in stable_sample(GROUPS, count))
    whole = Counter(group[:4] for group in GROUPS.values())
    for group, size in whole.items():
        wanted = size * count / len(GROUPS)
        assert abs(taken[group] - wanted) <= (1.5 if group != "rare" else 3.0), group


@pytest.mark.parametrize("period", [1, 2, 4, 5, 8])
def test_groups_that_take_turns_are_all_asked(period: int) -> None:
    groups = {number: number % period for number in range(1, 161)}
    taken = Counter(groups[number] for number in stable_sample(groups, 40))
    assert set(taken.values()) == {40 // period}


def test_one_group_is_taken_from_its_whole_length() -> None:
    places = sorted(stable_sample(dict.fromkeys(range(1, 1001), ""), 10))
    gaps = [later - earlier for earlier, later in zip([0, *places], [*places, 1001], strict=True)]
    assert max(gaps) <= 200


def test_what_comes_and_goes_leaves_the_order_of_the_others() -> None:
    before = stable_sample(dict.fromkeys(range(1, 101), ""), 20)
    more = stable_sample(dict.fromkeys(range(1, 201), ""), 40)
    assert before <= more
    fewer = stable_sample(dict.fromkeys((n for n in range(1, 101) if n not in (1, 50)), ""), 20)
    assert before - {1, 50} <= fewer

"""Stable sampling: every group is represented, and a larger sample contains the smaller one."""

from collections import Counter
from itertools import pairwise

import pytest

from engine.questions.sampling import stable_sample

# Topics of many sizes, one after another as imports leave them, with held-out ones among them.
GROUPS = {
    number + 1: group
    for number, group in enumerate(
        ["a"] * 40 + ["b"] * 8 + ["held out"] * 12 + ["c"] * 30 + [f"rare {n}" for n in range(30)]
    )
}


def test_larger_sample_contains_every_smaller_one() -> None:
    samples = [stable_sample(GROUPS, count) for count in range(1, len(GROUPS) + 2)]
    assert [len(sample) for sample in samples] == [*range(1, len(GROUPS) + 1), len(GROUPS)]
    assert all(smaller <= larger for smaller, larger in pairwise(samples))
    assert stable_sample(GROUPS, None) == frozenset(GROUPS)
    assert stable_sample({}, 3) == frozenset()


@pytest.mark.parametrize("count", [6, 12, 24, 60, 100])
def test_every_group_is_sampled_in_proportion(count: int) -> None:
    sampled = Counter(GROUPS[number][:4] for number in stable_sample(GROUPS, count))
    whole = Counter(group[:4] for group in GROUPS.values())
    for group, size in whole.items():
        expected = size * count / len(GROUPS)
        assert abs(sampled[group] - expected) <= (1.5 if group != "rare" else 3.0), group


@pytest.mark.parametrize("period", [1, 2, 4, 5, 8])
def test_alternating_groups_are_sampled_equally(period: int) -> None:
    groups = {number: number % period for number in range(1, 161)}
    sampled = Counter(groups[number] for number in stable_sample(groups, 40))
    assert set(sampled.values()) == {40 // period}


def test_sample_of_one_group_is_spread_over_its_whole_length() -> None:
    places = sorted(stable_sample(dict.fromkeys(range(1, 1001), ""), 10))
    gaps = [later - earlier for earlier, later in zip([0, *places], [*places, 1001], strict=True)]
    assert max(gaps) <= 200


def test_added_or_removed_items_do_not_reorder_the_others() -> None:
    before = stable_sample(dict.fromkeys(range(1, 101), ""), 20)
    more = stable_sample(dict.fromkeys(range(1, 201), ""), 40)
    assert before <= more
    fewer = stable_sample(dict.fromkeys((n for n in range(1, 101) if n not in (1, 50)), ""), 20)
    assert before - {1, 50} <= fewer

"""Selects a few out of many, evenly spread, so that a list sorted by topic is sampled from every topic.

Knows nothing of what it selects from.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def spread(rows: Sequence[T], count: int | None) -> list[T]:
    """Return at most `count` of the rows, evenly spaced and in order; None: all.

    A different `count` selects different rows. If an earlier selection must be kept, use `stable_sample`.
    """
    taken = len(rows) if count is None else min(count, len(rows))
    return [rows[place * len(rows) // taken] for place in range(taken)]


def stable_sample(groups: Mapping[int, Hashable], count: int | None) -> frozenset[int]:
    """Return at most `count` of the numbers, proportionally from every group; None: all. `groups` is number → group.

    A larger `count` includes the selection of a smaller one, so that nothing already paid for is left out. Adding or
    removing numbers does not change the order of the others in their group, only the group's share.
    """
    if count is None or count >= len(groups):
        return frozenset(groups)
    members: dict[Hashable, list[int]] = {}
    for number in sorted(groups):
        members.setdefault(groups[number], []).append(number)
    # The n-th of a group of m gets its turn at n / m of the whole. Groups have different offsets: otherwise, of a
    # thousand small groups, the first few would be those that were imported first.
    turns = [
        ((rank + _halved(place)) / len(group), place, number)
        for place, group in enumerate(members.values())
        for rank, number in enumerate(sorted(group, key=_halved))
    ]
    return frozenset(number for *_, number in sorted(turns)[:count])


def _halved(number: int) -> float:
    """Return a term of the van der Corput sequence, whose neighbouring terms are far apart in [0, 1)."""
    value, share = 0.0, 0.5
    while number:
        value += share * (number & 1)
        number, share = number >> 1, share / 2
    return value

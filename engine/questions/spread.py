"""A few out of many, evenly from all of them: what was imported topic by topic is then taken from every topic.

Knows nothing of what it chooses from.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def spread(rows: Sequence[T], count: int | None) -> list[T]:
    """At most `count` of the rows, at even distances and in their order; None: all.

    Another `count` takes other rows: where what was taken before is to be kept, `growing_share` is for it.
    """
    taken = len(rows) if count is None else min(count, len(rows))
    return [rows[place * len(rows) // taken] for place in range(taken)]


def growing_share(groups: Mapping[int, Hashable], count: int | None) -> frozenset[int]:
    """At most `count` of the numbers, of every group its share; None: all. `groups` says which group each is in.

    A larger `count` takes what a smaller one took, and more: nothing that was paid for is left out. Numbers that come
    or go change nothing about the order of the others within their group, only how much its share is.
    """
    if count is None or count >= len(groups):
        return frozenset(groups)
    members: dict[Hashable, list[int]] = {}
    for number in sorted(groups):
        members.setdefault(groups[number], []).append(number)
    # The n-th of a group of m has its turn at n / m of the whole. Groups begin at different moments: of a thousand
    # small ones the first few would else be those that were imported first.
    turns = [
        ((rank + _halved(place)) / len(group), place, number)
        for place, group in enumerate(members.values())
        for rank, number in enumerate(sorted(group, key=_halved))
    ]
    return frozenset(number for *_, number in sorted(turns)[:count])


def _halved(number: int) -> float:
    """Its binary digits behind the point, the last one first: any few numbers in a row lie far apart in [0, 1).

    This is van der Corput's sequence.
    """
    value, share = 0.0, 0.5
    while number:
        value += share * (number & 1)
        number, share = number >> 1, share / 2
    return value

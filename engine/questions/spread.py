"""A few out of many, evenly from all of them: what was imported topic by topic is then taken from every topic.

Knows nothing of what it chooses from.
"""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def spread(rows: Sequence[T], count: int | None) -> list[T]:
    """At most `count` of the rows, at even distances and in their order; None: all."""
    taken = len(rows) if count is None else min(count, len(rows))
    return [rows[place * len(rows) // taken] for place in range(taken)]

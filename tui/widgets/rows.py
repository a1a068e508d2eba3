"""Positions in a list, and which of its rows fit. Pure; knows nothing of what the rows are."""


def within(place: int, count: int) -> int:
    """Return the position nearest to this one among `count` rows; 0 if there are none."""
    return max(0, min(place, count - 1))


def window(at: int, room: int, count: int) -> range:
    """Return the positions of the rows to show if only `room` of `count` fit.

    The cursor `at` is in the middle, except at the ends of the list.
    """
    first = max(0, min(at - room // 2, count - room))
    return range(first, min(first + room, count))

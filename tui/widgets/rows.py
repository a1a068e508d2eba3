"""Places in a list, and which of its rows there is room for. Pure; knows nothing of what the rows are."""


def within(place: int, count: int) -> int:
    """The place nearest to this one among `count` rows; 0 where there are none."""
    return max(0, min(place, count - 1))


def window(at: int, room: int, count: int) -> range:
    """The places of the rows that are shown where only `room` of `count` are: the cursor `at` is in their middle, but
    for the ends of the list.
    """
    first = max(0, min(at - room // 2, count - room))
    return range(first, min(first + room, count))

"""Marks in a list: single answers, ranges, or all of it, by ids that the store understands.

Pure Python. A hundred thousand marks are one range: they are never listed individually.
"""

from dataclasses import dataclass, field

from engine.records.selection import IdRange


@dataclass(frozen=True, slots=True)
class Spot:
    """An example's id, and its position in the list when it was marked."""

    id: int
    place: int = field(compare=False)


@dataclass(slots=True)
class Marks:
    """Marks on one list; they would mean something else on another, so they are cleared with it."""

    single: set[Spot] = field(default_factory=set)
    ranges: list[tuple[Spot, Spot]] = field(default_factory=list)
    without: set[Spot] = field(default_factory=set)  # removed from a range
    anchor: Spot | None = None  # the start of a range that still follows the cursor

    def toggle(self, spot: Spot) -> None:
        """Mark or unmark this one. A range that follows the cursor is fixed where it is."""
        if self.anchor is not None:
            self.keep_range(spot)
        elif spot in self.without:
            self.without.discard(spot)
        elif spot in self.single:
            self.single.discard(spot)
        elif self._in_a_range(spot.place):
            self.without.add(spot)
        else:
            self.single.add(spot)

    def begin_range(self, spot: Spot) -> None:
        """Start a range here that follows the cursor."""
        self.anchor = spot

    def keep_range(self, spot: Spot) -> None:
        """End the range here; it no longer follows the cursor."""
        if self.anchor is not None:
            self._add(self.anchor, spot)
        self.anchor = None

    def mark_all(self, last: Spot) -> None:
        """Mark everything now in the list."""
        self.clear()
        self._add(Spot(0, 0), last)

    def clear(self) -> None:
        """Remove all marks."""
        self.single, self.ranges, self.without, self.anchor = set(), [], set(), None

    def holds(self, spot: Spot, cursor: int) -> bool:
        """Whether this one is marked, given the position of the cursor."""
        if self.anchor is not None and _between(spot.place, self.anchor.place, cursor):
            return True
        return spot in self.single or (self._in_a_range(spot.place) and spot not in self.without)

    def count(self, cursor: int) -> int:
        """Count the marked ones, given the position of the cursor."""
        stretches = [(first.place, last.place) for first, last in self.ranges]
        out = {spot.place for spot in self.without}
        if self.anchor is not None:
            ends = sorted((self.anchor.place, cursor))
            stretches.append((ends[0], ends[1]))
            out = {place for place in out if not ends[0] <= place <= ends[1]}
        total, reached = 0, -1
        for first, last in sorted(stretches):
            total += max(last - max(first, reached + 1) + 1, 0)
            reached = max(reached, last)
        alone = sum(not any(first <= spot.place <= last for first, last in stretches) for spot in self.single)
        return total + alone - len(out)

    @property
    def any(self) -> bool:
        """Whether anything is marked."""
        return bool(self.single or self.ranges or self.anchor)

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of single marks."""
        return tuple(sorted(spot.id for spot in self.single))

    @property
    def spans(self) -> tuple[IdRange, ...]:
        """Ids of the ends of finished ranges."""
        return tuple((first.id, last.id) for first, last in self.ranges)

    @property
    def taken_out(self) -> tuple[int, ...]:
        """Ids removed from the ranges."""
        return tuple(sorted(spot.id for spot in self.without))

    def _add(self, one: Spot, other: Spot) -> None:
        first, last = (one, other) if one.place <= other.place else (other, one)
        self.without = {spot for spot in self.without if not _between(spot.place, first.place, last.place)}
        self.single = {spot for spot in self.single if not _between(spot.place, first.place, last.place)}
        self.ranges.append((first, last))

    def _in_a_range(self, place: int) -> bool:
        return any(first.place <= place <= last.place for first, last in self.ranges)


def _between(place: int, one: int, other: int) -> bool:
    return min(one, other) <= place <= max(one, other)

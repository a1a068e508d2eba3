"""What the review knows: the window that was read last, the cursor, and how fast the person decides.

Pure Python, free of Textual and of I/O. Text in here is raw.
"""

from dataclasses import dataclass, field, replace

from engine.records.example import ExampleState
from tui.services.review import ReviewPage, ReviewRow, Where

FILTERS: tuple[ExampleState | None, ...] = (None, "undecided", "accepted", "rejected")
_PACE_OVER_S = 300.0


@dataclass(slots=True)
class ReviewState:
    """The screen's whole state. `where` is what was asked for last; `page` is what came."""

    where: Where = field(default_factory=Where)
    page: ReviewPage | None = None
    decided_at: list[float] = field(default_factory=list)

    @property
    def row(self) -> ReviewRow | None:
        """The example under the cursor, where its window was read."""
        if self.page is None or (self.page.where.state, self.page.where.search) != (
            self.where.state,
            self.where.search,
        ):
            return None
        index = self.where.cursor - self.page.offset
        return self.page.rows[index] if 0 <= index < len(self.page.rows) else None

    @property
    def total(self) -> int:
        """How many examples the list has."""
        return self.page.total if self.page is not None else 0

    def take(self, page: ReviewPage, decided: int, now: float) -> None:
        """Take in a window; answers to wishes that were overtaken by a later filter are dropped."""
        self.decided_at = [*(at for at in self.decided_at if now - at < _PACE_OVER_S), *([now] * decided)]
        if (page.where.state, page.where.search) == (self.where.state, self.where.search):
            self.page, self.where = page, page.where

    def move(self, steps: int) -> bool:
        """Move the cursor, at most to the ends; True where the window does not hold its new place."""
        self.where = replace(self.where, cursor=max(0, min(self.where.cursor + steps, self.total - 1)))
        return self.total > 0 and self.row is None

    def after_decision(self) -> Where:
        """Where to go on after a decision: the next row; in a list of undecided ones it comes up by itself."""
        leaves = self.where.state is not None
        return self.where if leaves else replace(self.where, cursor=self.where.cursor + 1)

    def turn_filter(self) -> None:
        """List the next kind of examples, from its beginning."""
        index = (FILTERS.index(self.where.state) + 1) % len(FILTERS)
        self.where = Where(FILTERS[index], self.where.search)

    def look_for(self, words: str) -> None:
        """List what holds these words; nothing lists everything."""
        self.where = Where(self.where.state, words.strip())

    @property
    def a_minute(self) -> float | None:
        """Decisions a minute over the last minutes; None before there were a few."""
        times = self.decided_at
        if len(times) < 3 or times[-1] <= times[0]:
            return None
        return 60.0 * (len(times) - 1) / (times[-1] - times[0])

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
    """The screen's whole state. `where` is where the person is; `page` is what was read last.

    Keys may come faster than the store answers: the cursor moves at once, and of several windows that were asked for
    only the last is taken.
    """

    where: Where = field(default_factory=Where)
    page: ReviewPage | None = None
    decided_at: list[float] = field(default_factory=list)
    awaited: int = 0  # windows that were asked for and have not come
    decided_from: Where = field(default_factory=Where)  # where the last decision was taken

    @property
    def row(self) -> ReviewRow | None:
        """The example under the cursor, where its window was read."""
        if self.page is None or replace(self.page.where, cursor=self.where.cursor) != self.where:
            return None
        index = self.where.cursor - self.page.offset
        return self.page.rows[index] if 0 <= index < len(self.page.rows) else None

    @property
    def total(self) -> int:
        """How many examples the list has."""
        return self.page.total if self.page is not None else 0

    def ask(self) -> Where:
        """Where a window is wanted; to be called once for each that is asked for."""
        self.awaited += 1
        return self.where

    def take(self, page: ReviewPage | None, decided: int, now: float) -> None:
        """Take in an answer: a window, or None where a decision was refused; then its example comes up again."""
        self.awaited -= 1
        self.decided_at = [*(at for at in self.decided_at if now - at < _PACE_OVER_S), *([now] * decided)]
        if page is None:
            if replace(self.where, cursor=self.decided_from.cursor) == self.decided_from:
                self.where = self.decided_from
        elif self.awaited == 0:
            self.page, self.where = page, page.where

    def move(self, steps: int) -> bool:
        """Move the cursor, at most to the ends; True where the window does not hold its new place."""
        self.where = replace(self.where, cursor=max(0, min(self.where.cursor + steps, self.total - 1)))
        return self.total > 0 and self.row is None

    def decide(self, verdict: ExampleState) -> int | None:
        """Go on to the next example, and return the number of the one that was decided; None where there is none.

        Where the list holds another kind only, the decided one leaves it and the next comes up in its place.
        """
        row = self.row
        if row is None or self.page is None:
            return None
        self.decided_from = self.where
        if self.where.state in (None, verdict):
            self.move(1)
        else:
            rows = tuple(other for other in self.page.rows if other is not row)
            self.page = replace(self.page, rows=rows, total=self.page.total - 1)
            self.move(0)
        return row.id

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

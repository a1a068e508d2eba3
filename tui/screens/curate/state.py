"""What the review knows: the window that was read last, the cursor, the marks, and how fast the person decides.

Pure Python, free of Textual and of I/O. Text in here is raw.
"""

from dataclasses import dataclass, field, replace

from engine.records.example import ExampleState
from engine.records.selection import Selection
from tui.keys import key_of
from tui.screens.curate.marks import Marks, Spot
from tui.services.review import ReviewPage, ReviewRow, Where
from tui.widgets.rows import within
from tui.widgets.shares import Shares

_PACE_OVER_S, _PACE_NEEDS_S = 300.0, 5.0  # of a few quick keys it means nothing
_ASKS_UNCONFIRMED = 10  # more than these cost time or money that no undo brings back


@dataclass(slots=True)
class ReviewState:
    """The screen's whole state. `where` is where the person is; `page` is what was read last.

    Keys may come faster than the store answers: the cursor moves at once, and of several windows that were asked for
    only the last is taken.
    """

    where: Where = field(default_factory=Where)
    page: ReviewPage | None = None
    marks: Marks = field(default_factory=Marks)
    decided_at: list[float] = field(default_factory=list)
    awaited: int = 0  # windows that were asked for and have not come
    decided_from: Where = field(default_factory=Where)  # where the last decision was taken
    doing: str = ""  # what many examples wait for
    checking: bool = False  # the rules decide
    failed: bool = False  # the last answer of the store was an error
    other_id: int | None = None  # the attempt that is shown in place of the listed one
    other: ReviewRow | None = None
    earlier: tuple[Where, int] | None = None  # the list before a search, and the example that the cursor was on
    scroll: int = 0  # lines of the answer that are above its place
    whole: bool = False  # the answer has the page
    comparing: bool = False
    shares: Shares = field(default_factory=Shares)  # of list and answer
    _unconfirmed: Selection | None = None

    @property
    def listed(self) -> ReviewRow | None:
        """The example under the cursor, where its window was read."""
        if self.page is None or not self.page.where.same_list(self.where):
            return None
        index = self.where.cursor - self.page.offset
        return self.page.rows[index] if 0 <= index < len(self.page.rows) else None

    @property
    def row(self) -> ReviewRow | None:
        """What is shown whole, and what keys are about: the listed example, or another attempt at its question."""
        return self.listed if self.other_id is None else self.other

    @property
    def total(self) -> int:
        """How many examples the list has."""
        return self.page.total if self.page is not None else 0

    @property
    def marked(self) -> int:
        """How many are marked."""
        return self.marks.count(self.where.cursor) if self.marks.any else 0

    @property
    def lacking(self) -> bool:
        """There is something under the cursor that was not read, and is not on its way."""
        return self.awaited == 0 and self.total > 0 and self.listed is None

    def ask(self) -> Where:
        """Where a window is wanted; to be called once for each that is asked for."""
        self.awaited += 1
        return self.where

    def take(self, page: ReviewPage | None, decided: int, now: float) -> str:
        """Take in an answer: a window, or None where a decision was refused; then its example comes up again.

        Returns what is to be said about answers that were asked for again.
        """
        self.awaited = max(self.awaited - 1, 0)  # what is asked for beside windows may fail as well
        self.decided_at = [*(at for at in self.decided_at if now - at < _PACE_OVER_S), *([now] * decided)]
        if page is None:
            self.doing = ""
            if self.where.same_list(self.decided_from):
                self.where = self.decided_from
            return ""
        if self.awaited:
            return ""
        self.doing = ""
        told = _told(self.page, page)
        cursor = page.where.cursor if page.sent else within(self.where.cursor, page.total)
        self.page = page
        self._go(replace(page.where, cursor=cursor))
        if self.listed is None or self.other_id not in self.listed.attempts:
            self.other_id = self.other = None  # another question has come up under the cursor
        return told

    def move(self, steps: int) -> bool:
        """Move the cursor, at most to the ends; True where the window does not hold its new place."""
        self._go(replace(self.where, cursor=within(self.where.cursor + steps, self.total)))
        return self.total > 0 and self.listed is None

    def decide(self, verdict: ExampleState) -> Selection | None:
        """What is meant by a verdict, marks before the answer that is shown; None where there is nothing.

        With marks the cursor stays; else it goes on to the next example. Where the list holds another kind only, the
        decided one leaves it and the next comes up in its place.
        """
        row, listed, page = self.row, self.listed, self.page
        meant = self.meant()
        if meant is None or row is None or page is None:
            return None
        self.decided_from = self.where
        if self.marks.any:
            self.begin(f"{verdict} …")
        elif row is not listed or self.where.state in (None, verdict):
            self.move(1)
        else:
            rows = tuple(other for other in page.rows if other is not row)
            self.page = replace(page, rows=rows, total=page.total - 1)
            self.move(0)
        return meant

    def meant(self) -> Selection | None:
        """What a key is about: all that is marked in this list, or the answer that is shown."""
        row, listed, page, marks = self.row, self.listed, self.page, self.marks
        if not marks.any:
            return Selection(ids=(row.id,)) if row is not None else None
        if page is None or (marks.anchor is not None and listed is None):
            return None
        if listed is not None:
            marks.keep_range(self._spot(listed))
        return replace(
            self.where.selection,
            prompt_sha256=page.prompt_sha256,
            ids=marks.ids,
            spans=marks.spans,
            without=marks.taken_out,
        )

    def begin(self, doing: str) -> None:
        """Something was begun with all that is marked; their marks have done their work."""
        self.doing = f"{self.marked:,} {doing}"
        self.marks.clear()

    def confirmed(self, meant: Selection) -> bool:
        """Whether as many as these may be asked again now: a few at once, more when they are meant twice."""
        sure = self.marked <= _ASKS_UNCONFIRMED or meant == self._unconfirmed
        self._unconfirmed = None if sure else meant
        return sure

    def toggle_mark(self) -> None:
        """Mark what the cursor is on, or let go of its mark, and go on."""
        if (listed := self.listed) is not None:
            following = self.marks.anchor is not None
            self.marks.toggle(self._spot(listed))
            if not following:
                self.move(1)

    def toggle_range(self) -> None:
        """Begin a range that follows the cursor, or let it stay as it is."""
        if (listed := self.listed) is not None:
            spot = self._spot(listed)
            if self.marks.anchor is None:
                self.marks.begin_range(spot)
            else:
                self.marks.keep_range(spot)

    def mark_all(self) -> None:
        """Mark the whole list."""
        if self.page is not None and self.total:
            self.marks.mark_all(Spot(self.page.newest_id, self.total - 1))

    def is_marked(self, row: ReviewRow, place: int) -> bool:
        """Whether this row of the list is marked."""
        return self.marks.any and self.marks.holds(Spot(row.id, place), self.where.cursor)

    def turn_filter(self) -> int:
        """List the next kind of examples; returns the number of the example to stay at, 0 where there is none."""
        kinds: tuple[tuple[ExampleState | None, bool], ...] = (
            (None, False),
            ("undecided", False),
            ("accepted", False),
            ("rejected", False),
            (None, True),
        )
        now = (self.where.state, self.where.flagged)
        state, flagged = kinds[(kinds.index(now) + 1) % len(kinds)]
        return self.list_other(replace(self.where, state=state, flagged=flagged))

    def list_other(self, where: Where) -> int:
        """List something else; returns the number of the example to stay at, 0 where there is none."""
        stay = self.listed.id if self.listed is not None else 0
        self.marks.clear()
        self._go(replace(where, cursor=0))
        return stay

    def look_for(self, words: str) -> int:
        """List what holds these words; nothing brings the earlier list back. Returns the example to stay at."""
        words = words.strip()
        if not words:
            return self.leave_search() or 0
        if self.earlier is None:
            self.earlier = self.where, self.listed.id if self.listed is not None else 0
        self.list_other(replace(self.where, search=words))
        return 0

    def leave_search(self) -> int | None:
        """Bring back the list before the search; returns the example to go to, None where nothing was looked for."""
        if self.earlier is None:
            return None
        (where, stay), self.earlier = self.earlier, None
        self.list_other(where)
        return stay

    def turn_attempt(self, steps: int) -> int | None:
        """Show another attempt at the listed question; returns the number of one that has to be read, or None."""
        listed = self.listed
        if listed is None or len(listed.attempts) < 2:
            return None
        shown = listed.attempts.index(self.other_id or listed.id)
        number = listed.attempts[(shown + steps) % len(listed.attempts)]
        self.scroll, self.other = 0, None
        self.other_id = None if number == listed.id else number
        return self.other_id

    def show_attempt(self, row: ReviewRow) -> None:
        """An attempt was read; it is shown where it still is the one that is wanted."""
        if row.id == self.other_id:
            self.other = row

    @property
    def a_minute(self) -> float | None:
        """Decisions a minute over the last minutes; None before there were a few."""
        times = self.decided_at
        if len(times) < 3 or times[-1] - times[0] < _PACE_NEEDS_S:
            return None
        return 60.0 * (len(times) - 1) / (times[-1] - times[0])

    def _go(self, where: Where) -> None:
        if where != self.where:
            self.other_id, self.other, self.scroll = None, None, 0
        self.where = where

    def _spot(self, listed: ReviewRow) -> Spot:
        return Spot(listed.id, self.where.cursor)


def _told(before: ReviewPage | None, now: ReviewPage) -> str:
    """How answers that were asked for again came out, at the moment when the last of them is there."""
    if before is None or before.asked is None or now.asked is None or now.asked.live or not before.asked.live:
        return ""
    if before.asked.job.id != now.asked.job.id:
        return ""
    count, missing = now.asked.answered, len(now.asked.open_questions)
    words = (
        f"{count:,} new answer{'s' if count != 1 else ''} came; {key_of('curate.next_undecided')} goes to what is open."
        if count
        else ""
    )
    return (
        f"{words} {missing:,} did not come: job {now.asked.job.id} {now.asked.job.state}.".strip() if missing else words
    )

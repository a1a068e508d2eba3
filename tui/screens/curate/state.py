"""The state of the review: the last window read, the cursor, the marks, and the pace of decisions.

Pure Python, free of Textual and of I/O. Text in here is raw.
"""

from dataclasses import dataclass, field, replace

from engine.records.example import ExampleState
from engine.records.job import state_word
from engine.records.selection import Selection
from engine.wording import counted
from tui.keys import key_of
from tui.screens.curate.marks import Marks, Spot
from tui.services.review import ReviewPage, ReviewRow, Where
from tui.widgets.rows import within
from tui.widgets.shares import Shares

_PACE_OVER_S, _PACE_NEEDS_S = 300.0, 5.0  # meaningless for a few quick keys


@dataclass(slots=True)
class ReviewState:
    """The screen's whole state. `where` is the current position; `page` is what was read last.

    Keys may come faster than the store answers: the cursor moves at once, and of several requested windows
    only the last is used. Until it has arrived, keys may have to wait (`unknown`).
    """

    where: Where = field(default_factory=Where)
    page: ReviewPage | None = None
    marks: Marks = field(default_factory=Marks)
    decided_at: list[float] = field(default_factory=list)
    awaited: int = 0  # windows requested and not yet received
    jumping: bool = False  # one of them will move the cursor
    decided_from: Where | None = None  # where the last decision was made, until the store has confirmed it
    doing: str = ""  # a bulk action in progress
    checking: bool = False  # the rules are deciding
    failed: bool = False  # the store's last answer was an error
    other_id: int | None = None  # the attempt shown instead of the listed one
    other: ReviewRow | None = None
    earlier: tuple[Where, int] | None = None  # the list before a search, and the example under the cursor then
    scroll: int = 0  # lines of the answer above the visible part
    whole: bool = False  # the answer fills the page
    comparing: bool = False
    shares: Shares = field(default_factory=Shares)  # of list and answer

    @property
    def listed(self) -> ReviewRow | None:
        """The example under the cursor, if its window was read."""
        if self.page is None or not self.page.where.same_list(self.where):
            return None
        index = self.where.cursor - self.page.offset
        return self.page.rows[index] if 0 <= index < len(self.page.rows) else None

    @property
    def row(self) -> ReviewRow | None:
        """What is shown in full and what keys act on: the listed example, or another attempt at its question."""
        return self.listed if self.other_id is None else self.other

    @property
    def total(self) -> int:
        """Number of examples in the list."""
        return self.page.total if self.page is not None else 0

    @property
    def marked(self) -> int:
        """Number of marked examples."""
        return self.marks.count(self.where.cursor) if self.marks.any else 0

    @property
    def lacking(self) -> bool:
        """Whether the row under the cursor was neither read nor requested."""
        return self.awaited == 0 and self.total > 0 and self.listed is None

    def unknown(self, *, answer: bool) -> bool:
        """Whether it is not known yet where the cursor will be or, if `answer`, which answer is there."""
        arriving = self.awaited > 0 and (self.jumping or (answer and self.listed is None))
        return arriving or (answer and self.other_id is not None and self.other is None)

    def ask(self, *, jump: bool = False) -> Where:
        """Return where a window is wanted; call it once per request. `jump`: the request will move the cursor."""
        self.awaited += 1
        self.jumping = self.jumping or jump
        return self.where

    def skip(self, decided: int, now: float) -> None:
        """Note that a request was carried out, and that a later one will bring the window."""
        self.awaited = max(self.awaited - 1, 0)
        self.jumping = self.jumping and self.awaited > 0
        if decided and not self.awaited:
            self.decided_from = None
        self.decided_at = [*(at for at in self.decided_at if now - at < _PACE_OVER_S), *([now] * decided)]

    def take(self, page: ReviewPage | None, decided: int, now: float) -> str:
        """Store an answer: a window, or None if a decision was refused, whose example is then shown again.

        Returns a message about answers that were asked for again.
        """
        self.skip(decided, now)
        if page is None:
            self.doing, self.other_id = "", self.other_id if self.other is not None else None
            if self.decided_from is not None and self.where.same_list(self.decided_from):
                self.where = self.decided_from
            return ""
        if self.awaited:
            return ""
        self.doing = ""
        arrived = _arrived(self.page, page)
        cursor = page.where.cursor if page.sent else within(self.where.cursor, page.total)
        self.page = page
        self._go(replace(page.where, cursor=cursor))
        if self.listed is None or self.other_id not in self.listed.attempts:
            self.other_id = self.other = None  # another question is under the cursor now
        return arrived

    def move(self, steps: int) -> bool:
        """Move the cursor within the list; True if the window does not contain its new position."""
        self._go(replace(self.where, cursor=within(self.where.cursor + steps, self.total)))
        return self.total > 0 and self.listed is None

    def decide(self, verdict: ExampleState) -> Selection | None:
        """Return what a verdict applies to, the marks or else the shown answer; None if there is nothing.

        With marks the cursor stays; otherwise it moves to the next example. If the filter excludes the verdict, the
        decided example leaves the list and the next takes its place.
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
        """What a key acts on: everything marked in this list, or the shown answer."""
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
        """Note that an action on all marked examples has started, and clear the marks."""
        self.doing = f"{self.marked:,} {doing}"
        self.marks.clear()

    def toggle_mark(self) -> None:
        """Mark or unmark the row under the cursor, and move on."""
        if (listed := self.listed) is not None:
            following = self.marks.anchor is not None
            self.marks.toggle(self._spot(listed))
            if not following:
                self.move(1)

    def toggle_range(self) -> None:
        """Start a range that follows the cursor, or fix it."""
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
        """Switch to the next filter; returns the id of the example to stay at, 0 for none."""
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
        """Change the list; returns the id of the example to stay at, 0 for none."""
        stay = self.listed.id if self.listed is not None else 0
        self.marks.clear()
        self._go(replace(where, cursor=0))
        return stay

    def look_for(self, words: str) -> int:
        """List examples with these words; no words restore the previous list. Returns the example to stay at."""
        words = words.strip()
        if not words:
            return self.leave_search() or 0
        if self.earlier is None:
            self.earlier = self.where, self.listed.id if self.listed is not None else 0
        self.list_other(replace(self.where, search=words))
        return 0

    def leave_search(self) -> int | None:
        """Restore the list from before the search; returns the example to go to, None without a search."""
        if self.earlier is None:
            return None
        (where, stay), self.earlier = self.earlier, None
        self.list_other(where)
        return stay

    def turn_attempt(self, steps: int) -> int | None:
        """Show another attempt at the listed question; returns the id of one to read, or None."""
        listed = self.listed
        if listed is None or len(listed.attempts) < 2:
            return None
        shown = listed.attempts.index(self.other_id or listed.id)
        number = listed.attempts[(shown + steps) % len(listed.attempts)]
        self.scroll, self.other = 0, None
        self.other_id = None if number == listed.id else number
        return self.other_id

    def show_attempt(self, row: ReviewRow) -> None:
        """Show an attempt that was read, if it is still wanted."""
        if row.id == self.other_id:
            self.other = row

    @property
    def a_minute(self) -> float | None:
        """Recent decisions per minute; None until there are a few."""
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


def _arrived(before: ReviewPage | None, now: ReviewPage) -> str:
    """Report on answers that were asked for again, once the last of them has arrived."""
    if before is None or before.asked is None or now.asked is None or now.asked.live or not before.asked.live:
        return ""
    if before.asked.job.id != now.asked.job.id:
        return ""
    count, missing = now.asked.answered, len(now.asked.open_questions)
    following = key_of("curate.next_undecided")
    sentences = [f"{counted(count, 'new answer')}; {following} goes to the next undecided."] if count else []
    sentences += (
        [f"{missing:,} did not arrive: job {now.asked.job.id} {state_word(now.asked.job.state)}."] if missing else []
    )
    return " ".join(sentences)

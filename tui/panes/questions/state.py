"""What the questions pane knows: the window of rows read last, the cursor, the marks, and the current view.

Pure Python, free of Textual and of I/O. Text here is raw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from engine.errors import DistillError
from engine.records.question import QuestionFilter, Split
from tui.services.questions import (
    ImportPreview,
    Pair,
    QuestionRow,
    QuestionsPage,
    SplitPreview,
    Step,
    TopicCounts,
    Where,
)
from tui.widgets.rows import within

Mode = Literal["list", "question", "topics", "import", "twins", "split"]
FILTERS: tuple[Split | Literal["unsplit"] | None, ...] = (None, "train", "validation", "test", "unsplit")


@dataclass(slots=True)
class QuestionsState:
    """The pane's whole state. `where` is where the user is; `page` is what was read last.

    Keys may come faster than the store answers: the cursor moves at once, and of several requested windows only the
    last is used.
    """

    mode: Mode = "list"
    where: Where = field(default_factory=Where)
    page: QuestionsPage | None = None
    marks: set[int] = field(default_factory=set)
    range_from: int | None = None  # where a range of marks started, in the list
    steps: list[Step] = field(default_factory=list)  # what can be undone, newest last
    busy: str = ""  # what is in progress, in words
    failure: DistillError | None = None  # why the list could not be read
    topics: tuple[TopicCounts, ...] | None = None  # largest first; None: not read yet
    topic_at: int = 0
    preview: ImportPreview | None = None
    pairs: tuple[Pair, ...] = ()
    pairs_total: int = 0
    pair_at: int = 0
    drawn: SplitPreview | None = None
    words: tuple[str, ...] = ()  # the arguments of the command that stores the preview
    before_search: Where | None = None  # where the user was before the search
    _asked: int = 0

    @property
    def row(self) -> QuestionRow | None:
        """Return the question under the cursor, if its window has been read."""
        if self.page is None or self.page.where.listed != self.where.listed:
            return None
        index = self.where.cursor - self.page.offset
        return self.page.rows[index] if 0 <= index < len(self.page.rows) else None

    @property
    def total(self) -> int:
        """Return how many questions the list has."""
        return self.page.total if self.page is not None else 0

    @property
    def all(self) -> int:
        """Return how many questions there are in all."""
        return sum(self.page.splits.values()) if self.page is not None else 0

    @property
    def previewed(self) -> bool:
        """Whether a preview is shown."""
        return self.mode in ("import", "split")

    @property
    def can_store(self) -> bool:
        """Whether the preview has anything to store, and nothing is in progress."""
        if self.mode == "import":
            new = self.preview.added if self.preview is not None else 0
        else:
            new = self.drawn.drawn if self.drawn is not None else 0
        return self.previewed and new > 0 and not self.busy

    def ask(self) -> int:
        """Return the number of a new request; only its answer is used."""
        self._asked += 1
        return self._asked

    def take(self, page: QuestionsPage, asked: int) -> None:
        """Take in a window, if it is the one requested last."""
        if asked != self._asked:
            return
        # The cursor may have moved since the window was requested.
        self.page, self.failure = page, None
        self.where = replace(self.where, cursor=within(self.where.cursor, page.total))

    def take_topics(self, topics: Sequence[TopicCounts]) -> None:
        """Take in the topics."""
        self.topics = tuple(sorted(topics, key=lambda topic: (-topic.total, topic.topic)))
        self.move(0)

    def did(self, step: Step) -> None:
        """Remember a step for undo, and unmark what it deleted."""
        self.steps.append(step)
        self.marks -= {removed.question.id for removed in step.removed}

    def move(self, steps: int) -> bool:
        """Move the cursor within the view. Return whether its new row has yet to be read."""
        if self.mode == "topics":
            self.topic_at = within(self.topic_at + steps, len(self.topics or ()))
        elif self.mode == "twins":
            self.pair_at = within(self.pair_at + steps, len(self.pairs))
        elif self.mode == "list":
            self.where = replace(self.where, cursor=within(self.where.cursor + steps, self.total))
            return self.total > 0 and self.row is None
        return False

    def turn_filter(self) -> None:
        """List the next split, from its start."""
        index = (FILTERS.index(self.where.listed.split) + 1) % len(FILTERS)
        self._narrow(replace(self.where.listed, split=FILTERS[index]))

    def look_for(self, words: str) -> None:
        """List questions with these words; empty lists all."""
        self._narrow(replace(self.where.listed, search=words.strip()))

    def begin_search(self) -> None:
        """Remember the place, so that leaving the search restores it."""
        self.before_search = self.before_search or self.where

    def end_search(self) -> bool:
        """Go back to the place before the search. Return whether there was one."""
        if self.before_search is None:
            return False
        self.where, self.before_search = self.before_search, None
        return True

    def list_topic(self) -> None:
        """List only the topic under the cursor."""
        if self.topics:
            self._narrow(replace(self.where.listed, topic=self.topics[self.topic_at].topic))
        self.mode = "list"

    def mark(self) -> None:
        """Mark or unmark what is under the cursor, and go on."""
        marked = self._under_cursor
        if marked is not None:
            self.marks ^= {marked}
            self.move(1)

    def mark_all(self, ids: Sequence[int]) -> None:
        """Mark these; if all of them are marked already, unmark them."""
        if self.marks >= set(ids):
            self.marks -= set(ids)
            ids = ()
        self.keep_range(ids)

    def keep_range(self, ids: Sequence[int]) -> None:
        """Mark what is in the open range, and close the range."""
        self.marks |= set(ids)
        self.range_from = None

    @property
    def chosen(self) -> tuple[int, ...]:
        """Return what an action applies to: the marks that are shown, else what is under the cursor."""
        if self.marks and self.mode != "question":
            return tuple(sorted(self.marks))
        under = self._under_cursor
        return () if under is None else (under,)

    @property
    def range(self) -> range | None:
        """Return the positions of the open range, if there is one."""
        if self.range_from is None:
            return None
        low, high = sorted((self.range_from, self.where.cursor))
        return range(low, high + 1)

    def show_import(self, preview: ImportPreview, words: Sequence[str]) -> None:
        """Show what an import with these arguments would store."""
        self.mode, self.preview, self.words = "import", preview, tuple(words)

    def show_split(self, drawn: SplitPreview, words: Sequence[str]) -> None:
        """Show the splits that these arguments would draw."""
        self.mode, self.drawn, self.words = "split", drawn, tuple(words)

    def leave(self) -> None:
        """Go back to the list, from whatever is shown instead."""
        self.mode, self.preview, self.drawn, self.pairs, self.words = "list", None, None, (), ()

    def show_twins(self, pairs: tuple[Pair, ...], total: int) -> None:
        """Show near-duplicates side by side."""
        self.mode, self.pairs, self.pairs_total, self.pair_at = "twins", pairs, total, 0
        self.marks.clear()

    def forget_pairs(self, removed: Sequence[int]) -> None:
        """Drop the pairs that lost a question."""
        gone = set(removed)
        left = tuple(pair for pair in self.pairs if pair.dropped.id not in gone and pair.kept.id not in gone)
        self.pairs_total -= len(self.pairs) - len(left)
        self.pairs = left
        self.move(0)

    @property
    def is_over(self) -> bool:
        """Whether `back` has something to leave, close or clear."""
        return (
            self.mode != "list" or bool(self.marks) or self.range is not None or self.where.listed != QuestionFilter()
        )

    def back(self) -> bool:
        """Go one step back: preview, range, marks, view, filter. Return whether the list must be read again."""
        if self.previewed or self.mode == "question":
            self.leave()
        elif self.range_from is not None:
            self.range_from = None
        elif self.marks:
            self.marks.clear()
        elif self.mode != "list":
            self.leave()
        elif self.where.listed != QuestionFilter():
            before, self.before_search = self.before_search, None
            self.where = before if before is not None and before != self.where else Where()
            return True
        return False

    def _narrow(self, listed: QuestionFilter) -> None:
        self.where = Where(listed)
        self.range_from = None

    @property
    def _under_cursor(self) -> int | None:
        if self.mode == "twins":
            return self.pairs[self.pair_at].dropped.id if self.pairs else None
        row = self.row
        return row.question.id if row is not None and self.mode in ("list", "question") else None

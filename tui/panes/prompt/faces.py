"""The faces of the prompt pane that show: its text, its versions, answers to try.

Each draws one state and carries the keys of its place. A face knows the store's service and nothing of the others:
where it wants to go, it posts.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message

from engine.records.prompt import Prompt
from engine.records.rule import Rule
from tui.actions import Place, bindings
from tui.panes.prompt.drawing import draw_empty, draw_text
from tui.panes.prompt.other_drawing import draw_difference, draw_trial, draw_versions
from tui.panes.prompt.state import Face, TrialState, VersionsState
from tui.services.prompt import (
    DifferenceRead,
    Passage,
    VersionsRead,
    back_to,
    read_difference,
    read_versions,
)
from tui.services.store import StoreService
from tui.services.trial import TrialAnswered, TrialEnded, TrialService
from tui.widgets.page import Page
from tui.widgets.scroller import Scroller


class ShowFace(Message):
    """A person wants another face of the pane."""

    def __init__(self, face: Face, part: str = "") -> None:
        super().__init__()
        self.face = face
        self.part = part  # of the reading face: "rules", else the text


class TextFace(Scroller):
    """The prompt as people read it. The words that a rule comes from are marked, and come into sight."""

    def __init__(self) -> None:
        super().__init__(id="prompt-text")
        self._drawn: tuple[object, ...] = ()

    def show(self, prompt: Prompt | None, passages: Sequence[Passage]) -> None:
        """Draw it, where anything changed: fifty kilobytes are not broken into lines each second for nothing."""
        width = max(self.scrollable_content_region.width - (0 if self.show_vertical_scrollbar else 1), 20)
        wanted = (prompt, tuple(passages), width)
        if wanted == self._drawn:
            return
        looked_for = self._drawn[1:2] != wanted[1:2]
        self._drawn = wanted
        lines, first = (draw_empty(width), None) if prompt is None else draw_text(prompt, passages, width)
        self.query_one(Page).show(lines)
        if first is not None and looked_for:
            self.call_after_refresh(self._bring_into_sight, first)

    def _bring_into_sight(self, line: int) -> None:
        if not self.scroll_offset.y <= line < self.scroll_offset.y + self.size.height - 1:
            self.scroll_to(y=max(line - 2, 0), animate=False)


class VersionsFace(Vertical, can_focus=True):
    """The versions, and under them what changed from the chosen one to the current one."""

    place: ClassVar[Place] = "versions"
    BINDINGS: ClassVar[list[BindingType]] = bindings("versions")
    SCOPED_CSS = False  # the rule for a narrow screen begins at the screen
    DEFAULT_CSS = """
    VersionsFace { padding: 1 1 0 2; }
    VersionsFace #version-list { margin-bottom: 1; }
    Screen.-narrow VersionsFace { padding: 0 1; }
    """

    def __init__(self, store: StoreService, state: VersionsState) -> None:
        super().__init__(id="prompt-versions")
        self._store = store
        self._state = state

    def compose(self) -> ComposeResult:
        """The list stands; the difference scrolls."""
        yield Page(id="version-list")
        with Scroller(id="difference", can_focus=False):
            yield Page(classes="lines")

    def read(self) -> None:
        """Ask for the versions anew."""
        self._store.ask(read_versions, self)

    def redraw(self) -> None:
        """Draw both parts for their room, once there are any."""
        if not self.query(Page):
            return
        width = max(self.content_size.width - 1, 20)
        self.query_one("#version-list", Page).show(draw_versions(self._state, width, self.size.height))
        row = self._state.row
        lines = draw_difference(self._state.lines, width) if row is not None and not row.current else []
        self._difference.query_one(Page).show(lines)

    def on_resize(self) -> None:
        """Drawn for its size."""
        self.redraw()

    def on_versions_read(self, message: VersionsRead) -> None:
        """Take in the list, and ask for the difference."""
        message.stop()
        self._state.take(message.rows)
        self._compare()

    def on_difference_read(self, message: DifferenceRead) -> None:
        """Take in a difference, where it is still wanted."""
        message.stop()
        if self._state.take_difference(message.version, message.whole, message.lines):
            self._difference.scroll_home(animate=False)
            self.redraw()

    def action_line_down(self) -> None:
        """The next version."""
        self._move(1)

    def action_line_up(self) -> None:
        """The version before."""
        self._move(-1)

    def action_first(self) -> None:
        """The newest version."""
        self._move(-len(self._state.rows or ()))

    def action_last(self) -> None:
        """The oldest version."""
        self._move(len(self._state.rows or ()))

    def action_page_down(self) -> None:
        """Down a page of the difference."""
        self._difference.action_page_down()

    def action_page_up(self) -> None:
        """Up a page of the difference."""
        self._difference.action_page_up()

    def action_whole(self) -> None:
        """Show all lines, or those that changed."""
        self._state.whole = not self._state.whole
        self._compare()

    def action_make_current(self) -> None:
        """Make this version the current one; the pane hears of it."""
        row = self._state.row
        if row is not None and not row.current:
            version = row.version
            self._store.ask(lambda project: back_to(project, version), self)

    def action_back(self) -> None:
        """Go back to the text."""
        self.post_message(ShowFace("reading"))

    @property
    def _difference(self) -> Scroller:
        return self.query_one("#difference", Scroller)

    def _move(self, steps: int) -> None:
        if self._state.move(steps):
            self._compare()

    def _compare(self) -> None:
        self._state.lines = None
        if (row := self._state.row) is not None and not row.current:
            version, whole = row.version, self._state.whole
            self._store.ask(lambda project: read_difference(project, version, whole=whole), self)
        self.redraw()


class TrialFace(Scroller):
    """Answers of the teacher to a few questions, with what the rules find in them."""

    place: ClassVar[Place] = "trial"
    BINDINGS: ClassVar[list[BindingType]] = bindings("trial")
    SCOPED_CSS = False
    DEFAULT_CSS = """
    TrialFace { padding: 1 1 0 2; }
    Screen.-narrow TrialFace { padding: 0 1; }
    """

    def __init__(self, store: StoreService, state: TrialState) -> None:
        super().__init__(id="prompt-trial")
        self._service = TrialService(store.folder, store.home, self)
        self._state = state
        self._rules: tuple[Rule, ...] = ()

    def begin(self, questions: Sequence[str], count: int, teacher: str) -> None:
        """Ask these questions, or `count` stored ones."""
        number = self._service.start(questions, count)
        self._state.begin(number, len(questions) or count, teacher)
        self.redraw()

    def show(self, rules: tuple[Rule, ...]) -> None:
        """Draw with the rules as they are now."""
        self._rules = rules
        self.redraw()

    def redraw(self) -> None:
        """Draw for the room that there is, once there is any."""
        if not self.query(Page):
            return
        width = max(self.scrollable_content_region.width - (0 if self.show_vertical_scrollbar else 1), 20)
        self.query_one(Page).show(draw_trial(self._state, self._rules, width))

    def on_resize(self) -> None:
        """Drawn for its size."""
        self.redraw()

    def on_unmount(self) -> None:
        """Nobody would see an answer any more."""
        self._service.stop()

    def on_trial_answered(self, message: TrialAnswered) -> None:
        """Take in an answer."""
        message.stop()
        self._state.answer(message.trial, message.answer)
        self.redraw()

    def on_trial_ended(self, message: TrialEnded) -> None:
        """Say how it ended."""
        message.stop()
        self._state.end(message.trial, message.error)
        self.redraw()

    def action_end(self) -> None:
        """Ask nothing more; where nothing is being asked, the key stops the job as everywhere."""
        if not self._state.running:
            raise SkipAction
        self._state.stopped = True
        self._service.stop()

    def action_back(self) -> None:
        """Go back to the text."""
        self.post_message(ShowFace("reading"))

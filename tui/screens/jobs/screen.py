"""The jobs of a project: a list, their logs, and the keys that control the one under the cursor."""

from functools import partial
from time import monotonic
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode

from engine.clean import clean_text
from engine.records.job import Job, state_word
from tui.actions import Place, bindings
from tui.keys import footer_actions
from tui.screens.jobs.drawing import draw
from tui.screens.jobs.state import JobsState
from tui.screens.workspace.job_keys import JobKey, answer_to
from tui.screens.workspace.unavailable import GOES_ON
from tui.services.jobs import JobRow, read_jobs, read_log
from tui.services.store import StoreFailed, StoreService
from tui.widgets.footer import Footer
from tui.widgets.listing import Listing
from tui.widgets.page import Page
from tui.widgets.placed import PlacedScreen
from tui.widgets.scroller import Scroller

_READ_EVERY_S = 1.0


class Jobs(Scroller):
    """The list, or the log of one job; handles the keys of both."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("jobs")
    DEFAULT_CSS = "Jobs { width: 1fr; height: 1fr; padding: 0 1; }"

    def __init__(self, store: StoreService) -> None:
        super().__init__()
        self.state = JobsState()
        self._store = store
        self._reads = 0  # the job whose log is shown or being read; 0: none

    @property
    def choices(self) -> Listing | None:
        """The jobs; a log has no rows."""
        if self.state.log is not None or not (rows := self.state.rows):
            return None
        return Listing(
            self.state.cursor,
            self._move,
            lambda: [f"job {row.job.id} {row.job.kind} {state_word(row.job.state)} {row.job.note}" for row in rows],
            self.action_log,
        )

    def on_mount(self) -> None:
        """Read the jobs, repeatedly."""
        self._read()
        self.set_interval(_READ_EVERY_S, self._read)

    def on_resize(self) -> None:
        """Draw for the new width."""
        self.redraw()

    def on_store_failed(self, message: StoreFailed) -> None:
        """Report what could not be read."""
        message.stop()
        self.app.notify(str(message.error), severity="error")

    def redraw(self) -> None:
        """Draw the page."""
        if self.is_mounted and self.size.width:
            self.query_one(Page).show(draw(self.state, self.line_width))
            row = self.state.row
            rests = row is not None and (row.job.state == "paused" or row.asked == "pausing")
            labels = {"jobs.pause": GOES_ON} if rests else {}
            self.screen.query_one(Footer).show(footer_actions("jobs", labels=labels))

    def action_log(self) -> None:
        """Show the log of the job under the cursor, or close it."""
        if self.state.log is not None:
            self.action_leave()
        elif (row := self.state.row) is not None:
            self._reads = row.job.id
            self._read_log(row.job)

    def action_pause(self) -> None:
        """Pause or resume the job."""
        self._press("pause")

    def action_stop(self) -> None:
        """Stop the job at its next safe point."""
        self._press("stop")

    def action_resume(self) -> None:
        """Resume the job."""
        self._press("resume")

    def action_copy(self) -> None:
        """Copy the log if it is shown, otherwise the job's reason."""
        row = self.state.row
        text = self.state.log if self.state.log is not None else row.job.note if row is not None else ""
        if text.strip():
            self.app.copy_to_clipboard(clean_text(text))
        else:
            self.app.notify("Nothing to copy.")

    def action_leave(self) -> None:
        """Close the log, or the list."""
        if self.state.log is None:
            self.screen.dismiss()
            return
        self.state.log, self._reads = None, 0
        self.redraw()
        self.call_after_refresh(self.see_cursor)

    def _move(self, steps: int) -> None:
        self.state.move(steps)
        self.redraw()

    def _read(self) -> None:
        self._store.ask(read_jobs, self._take, self)
        if self.state.log is not None and self.state.row is not None:
            self._read_log(self.state.row.job)

    def _read_log(self, job: Job) -> None:
        self._store.ask(lambda project: read_log(project, job), partial(self._show_log, job.id), self)

    def _take(self, rows: tuple[JobRow, ...]) -> None:
        if self.state.take(rows, monotonic()):
            self.redraw()

    def _show_log(self, job_id: int, text: str) -> None:
        """Show the end of the log; later, follow what is added if the end was visible."""
        here = self.state.row.job.id if self.state.row is not None else 0
        if not job_id == self._reads == here or text == self.state.log:
            return  # it was closed meanwhile, or has not grown
        first, self.state.log = self.state.log is None, text
        self.redraw()
        if first:
            self.call_after_refresh(self.scroll_end, animate=False)
        else:
            self.stay_at_end()

    def _press(self, key: JobKey) -> None:
        row = self.state.row
        command, message = answer_to(key, row.job, row.asked) if row is not None else answer_to(key, None)
        if command is not None and row is not None:
            self._store.send(command, row.job.id)
            self._read()
        self.app.notify(message)


class JobsScreen(PlacedScreen[None]):
    """Shown in place of the page."""

    place: ClassVar[Place] = "jobs"
    DEFAULT_CSS = "JobsScreen { padding: 0; }"

    def __init__(self, store: StoreService) -> None:
        super().__init__()
        self._store = store

    def compose(self) -> ComposeResult:
        """The list and its keys."""
        yield Jobs(self._store)
        yield Footer(footer_actions("jobs"))

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """The list itself handles the keys."""
        return [(self.place, self.query_one(Jobs))]

"""The workspace screen: lays out header, rail, panes and footer, and passes messages into the state.

Knows which widget shows what; `state` decides which pane is shown, and each pane what it contains.
"""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.dom import DOMNode

from engine.errors import DistillError
from engine.paths import Home
from tui.actions import TEXT_PLACES, PaneName, Place, bindings
from tui.keys import footer_actions
from tui.panes import pane_class
from tui.screens.workspace.header import Header
from tui.screens.workspace.job_keys import JobKey
from tui.screens.workspace.providers import PROVIDERS
from tui.screens.workspace.rail import Rail, Spine
from tui.screens.workspace.search import SearchingScreen, SearchLine
from tui.screens.workspace.state import WorkspaceState
from tui.screens.workspace.trouble import Trouble
from tui.screens.workspace.watching import Watching
from tui.services.meters import MeterRead
from tui.services.store import FactsRead, JobStarted, ReadFailed, StoreFailed, StoreService
from tui.settings import Remembered
from tui.widgets.footer import Footer
from tui.widgets.placed import ArmsChosen, Arranged, Freezing, ShowPane, ShowProjects
from tui.widgets.shares import Divided, Shares

# What is needed only after the project was read is imported then, so that the rail appears sooner.
if TYPE_CHECKING:
    from tui.panes.pane import Pane
    from tui.screens.workspace.updating import Updating
    from tui.services.follower import JobEvents, PastRead

READ_EVERY_S = 1.0
DRAW_EVERY_S = 0.2


class WorkspaceScreen(Divided, SearchingScreen):
    """One project's stations, live."""

    place: ClassVar[Place] = "workspace"
    CSS_PATH = "workspace.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("workspace")
    COMMANDS = PROVIDERS
    AUTO_FOCUS = ""  # the shown pane has focus
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - declared by Screen

    def __init__(self, folder: Path, home: Home, left: Remembered) -> None:
        """`left`: the layout of the last session."""
        super().__init__()
        self.state = WorkspaceState(shares=Shares.restored(left.shares))
        self.state.restore(left.panes.get(str(folder), ""), left.rail_width, left.maximised)
        self.store = StoreService(folder, home, self)
        self._watching = Watching(self)
        self._updating: Updating | None = None
        self._made: dict[PaneName, Pane] = {}
        self._pane: Pane | None = None
        self._error: DistillError | None = None
        self._stale = True

    def compose(self) -> ComposeResult:
        """Header, rail or spine, pane, footer. Panes are created when first shown."""
        yield Header(id="header")
        yield Spine(id="spine")
        with Horizontal(id="body"):
            yield Rail(id="rail")
            with Vertical(id="panes"):
                yield Trouble(id="trouble")
        yield SearchLine()
        yield Footer(footer_actions())

    def on_mount(self) -> None:
        """Start reading and drawing."""
        self.query_one(Rail).styles.width = self.state.rail_width
        self.set_class(self.state.maximised, "-maximised")
        self._draw()
        self.call_after_refresh(self._begin_to_read)
        self.set_interval(DRAW_EVERY_S, self._draw)

    def _begin_to_read(self) -> None:
        if self.is_attached:  # the user has not left at once
            self.store.read()
            self.set_interval(READ_EVERY_S, self._read_again)

    def _read_again(self) -> None:
        self.store.read()
        self._stale |= self.state.tick(READ_EVERY_S)

    def on_unmount(self) -> None:
        """Close the store and the log; the job is not affected."""
        self._watching.close()
        self.store.close()

    def on_facts_read(self, message: FactsRead) -> None:
        """Store the facts, and watch the newest job."""
        first = self.state.take(message.facts)
        self._error = None
        self._watching.follow(self.state)
        self.state.believe_the_store()
        self._stale = True
        if first:
            self._draw()  # the first paint of a project does not wait for the timer
        self.call_after_refresh(self._watching.read_meters, self.state)

    def on_past_read(self, message: "PastRead") -> None:
        """Show the job's current state, without replaying how it got there."""
        if self.state.job is not None and self.state.job.job_id == message.view.job_id:
            self.state.job = message.view
            self.state.believe_the_store()
            self._stale = True

    def on_job_events(self, message: "JobEvents") -> None:
        """Apply the job's new events."""
        if self.state.job is not None and self.state.job.job_id == message.job_id:
            for event in message.events:
                self.state.job.apply(event)
            self.state.believe_the_store()
            self._stale = True

    def on_meter_read(self, message: MeterRead) -> None:
        """Store the machine's load; only the header shows it."""
        self.state.load, self.state.gpu = message.reading, message.gpu
        self._show_header()

    def on_read_failed(self, message: ReadFailed) -> None:
        """Show why nothing newer can be read, above the pane or in its place, until it can."""
        self._error, self._stale = message.error, True
        self._tell_keys()

    def on_store_failed(self, message: StoreFailed) -> None:
        """Report what failed."""
        self.state.asked_to_end = 0  # that may be what failed
        self.say_error(message.error)

    def on_job_started(self, message: JobStarted) -> None:
        """Report the start, and follow the job."""
        self.notify(f"Job {message.job.id} started: {message.job.kind}.", timeout=3)
        self.action_follow()

    def on_show_pane(self, message: ShowPane) -> None:
        """Show a pane chosen in the rail or by another pane."""
        self.action_pane(message.pane)

    def on_arms_chosen(self, message: ArmsChosen) -> None:
        """Show the arms chosen in the chat."""
        self.state.arms, self._stale = " │ ".join(message.arms), True

    def on_freezing(self, message: Freezing) -> None:
        self.state.freezing, self._stale = message.now, True

    def on_descendant_focus(self) -> None:
        """Show the keys of what has focus; after typing, follow the work again."""
        self._tell_keys()
        self._stale = True

    def on_keys_changed(self) -> None:
        self._tell_keys()

    def on_resize(self) -> None:
        self._stale = True

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """Where a key press is looked up, nearest place first, with the node that handles the actions there."""
        pane = self._pane.binding_chain if self._pane is not None else []
        return [*self.searched(pane), (self.place, self)]

    def action_pane(self, pane: PaneName) -> None:
        """Show a pane; if it is shown already, retry what it could not read."""
        if self._pane is not None and self._pane.place == pane:
            self._pane.read_again()
        self.state.chosen = pane
        self._turn()

    def open_in(self, pane: PaneName, number: int) -> None:
        """Show a pane, and in it the item with this number."""
        self.action_pane(pane)
        self._shown_pane().open(number)

    def action_do_in(self, pane: PaneName, action: str) -> None:
        """Show a pane and run one of its actions, once it has read its content."""
        self.action_pane(pane)

        def run(_answer: None) -> None:
            """Run the action: the pane's own requests to the store were answered before this one."""
            if (carrier := self._made.get(pane)) is not None:
                carrier.focus()  # one of its fields may have had focus
                carrier.call_later(self.app.run_action, action, carrier)  # after its pending messages

        self.store.ask(lambda _project: None, run, self)

    def action_pane_down(self) -> None:
        self.state.move(1)
        self._turn()

    def action_pane_up(self) -> None:
        self.state.move(-1)
        self._turn()

    def action_follow(self) -> None:
        """Follow the work."""
        self.state.follow()
        self._turn()

    def action_maximise(self) -> None:
        """Maximise the pane, or restore the rail."""
        self.state.maximised = not self.state.maximised
        self.set_class(self.state.maximised, "-maximised")
        self._arranged()

    def move_divider(self, steps: int) -> bool:
        """Move the pane's divider if it has one; otherwise resize the rail."""
        if self._pane is not None and self._pane.move_divider(steps):
            return True
        rail = self.query_one(Rail)
        self.state.widen(2 * steps)
        rail.styles.width = self.state.rail_width
        if not rail.is_on_screen:
            self.notify(f"The rail is {self.state.rail_width} cells wide when shown.", timeout=3)
        self._arranged()
        self._stale = True
        return True

    def action_curate(self) -> None:
        """Open the review."""
        from tui.screens.curate.screen import CurateScreen  # not needed for the first paint of a project

        self.app.push_screen(CurateScreen(self.store, self.state.shares))

    def action_jobs(self) -> None:
        from tui.screens.jobs.screen import JobsScreen

        self.app.push_screen(JobsScreen(self.store))

    def action_update(self) -> None:
        """Show what changes to the prompt and rules affect, and redo only that."""
        if self._updating is None:
            from tui.screens.workspace.updating import Updating

            self._updating = Updating(self.store, self)
        self._updating.plan()

    def action_settings(self) -> None:
        """Change the models that the project uses, and the temperature at which it will be served."""
        from tui.screens.workspace.project_settings import change_settings

        if self.state.facts is not None:
            change_settings(self.state.facts, self.store, self)

    def action_projects(self) -> None:
        self.post_message(ShowProjects())

    def action_pause(self) -> None:
        """Pause or resume the job."""
        self._press("pause")

    def action_resume(self) -> None:
        self._press("resume")

    def action_stop(self) -> None:
        """Stop the job at its next safe point."""
        self._press("stop")

    def _press(self, key: JobKey) -> None:
        command, job_id, message = self.state.press(key)
        if command is not None:
            self.store.send(command, job_id)
        self.notify(message)

    def _turn(self) -> None:
        self._arranged()
        self._stale = True
        self._draw()

    def _arranged(self) -> None:
        state = self.state
        self.post_message(Arranged(self.store.folder, state.chosen or "", state.rail_width, maximised=state.maximised))

    def _draw(self) -> None:
        """Draw if anything changed since the last time."""
        if not self._stale or not self._is_here:
            return
        self._stale = False
        state = self.state
        typing = self.binding_chain[0][0] in TEXT_PLACES  # in another pane the rest of the text would act as keys
        state.held = self._pane.place if self._pane is not None and typing else None
        self._show_header()
        self.query_one(Trouble).show_trouble(state, self._error, self.size.width)
        self.query_one(Rail).show_state(state)
        self.query_one(Spine).show_state(state, self.size.width - 2)
        if self._pane is None:  # the first paint shows the stations; the pane's imports come after it
            self.call_after_refresh(self._draw_pane)
        else:
            self._draw_pane()

    def _draw_pane(self) -> None:
        if self.state.facts is None or not self._is_here:
            self._stale = self.state.facts is not None
            return
        self._shown_pane().show(self.state.facts, self.state.job)
        self._tell_keys()

    @property
    def _is_here(self) -> bool:
        """Whether it is mounted, not being left, and not completely hidden by another screen."""
        return self.is_seen and any(room.is_attached for room in self.query("#panes"))

    def _show_header(self) -> None:
        if self._is_here:
            self.query_one(Header).show_state(self.state, self.store.folder.name, self.size.width - 2)

    def _shown_pane(self) -> "Pane":
        """The shown pane, created and focused if it was not on the screen before."""
        name = self.state.shown
        pane = self._made.get(name)
        if pane is None:
            pane = self._made[name] = pane_class(name)(self.store)
            pane.shares = self.state.shares
            self.query_one("#panes").mount(pane)
        if pane is not self._pane:
            self.query_one(SearchLine).end()
            if self._pane is not None:
                self._pane.display = False
            self._pane = pane
            pane.display = True
            pane.focus()
        return pane

    def _tell_keys(self) -> None:
        unavailable = self.state.unavailable | ({"workspace.projects"} if self._error is None else frozenset())
        unavailable |= self._pane.unavailable if self._pane is not None else frozenset()
        places = (place for place, _ in self.binding_chain)
        for footer in self.query(Footer):  # none while the screen is being removed
            footer.show(footer_actions(*places, unavailable=unavailable, labels=self.state.labels))

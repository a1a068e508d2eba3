"""The workspace screen: lays out header, rail, pane and footer, and passes messages into the state.

Knows which widget shows what; what is shown is decided in `state` and drawn in `panes`.
"""

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from engine.clean import clean_text
from engine.paths import Home
from engine.records.job import LIVE_STATES
from engine.records.station import STATIONS
from tui.actions import bindings, footer_actions
from tui.screens.curate.screen import CurateScreen
from tui.screens.workspace.header import Header
from tui.screens.workspace.panes import PANES
from tui.screens.workspace.panes.parts import View
from tui.screens.workspace.rail import Rail, Spine
from tui.screens.workspace.state import JobView, WorkspaceState
from tui.services.follower import FollowerService, JobTold
from tui.services.meters import Meter
from tui.services.store import FactsRead, StoreFailed, StoreService
from tui.widgets.footer import Footer
from tui.widgets.lines import BAD, DIM, STRONG, page, percent, wrap

READ_EVERY_S = 1.0
DRAW_EVERY_S = 0.2


class WorkspaceScreen(Screen[None]):
    """One project's stations, live."""

    CSS_PATH = "workspace.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("workspace")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - declared by Screen

    def __init__(self, folder: Path, home: Home) -> None:
        super().__init__()
        self.state = WorkspaceState()
        self._folder = folder
        self._home = home
        self._store: StoreService | None = None
        self._follower: FollowerService | None = None
        self._meter = Meter()
        self._error: Content | None = None
        self._stale = True

    def compose(self) -> ComposeResult:
        """Header, rail or spine, the pane, the footer."""
        yield Header(id="header")
        yield Spine(id="spine")
        with Horizontal(id="body"):
            yield Rail(id="rail")
            with VerticalScroll(id="scroll"):
                yield Static(id="pane")
        yield Footer(footer_actions("workspace"))

    def on_mount(self) -> None:
        """Begin to read and to draw."""
        self._store = StoreService(self._folder, self._home, self)
        self._store.read()
        self.set_interval(READ_EVERY_S, self._read_again)
        self.set_interval(DRAW_EVERY_S, self._draw)
        self.query_one("#scroll").focus()

    def on_unmount(self) -> None:
        """Let go of the store and the log; the job is not touched."""
        if self._follower is not None:
            self._follower.close()
        if self._store is not None:
            self._store.close()

    def on_facts_read(self, message: FactsRead) -> None:
        """Take in what the store says, and watch the newest job."""
        self.state.facts = message.facts
        self._error = None
        job = message.facts.newest_job
        if job is not None and (self.state.job is None or self.state.job.job_id != job.id):
            if self._follower is not None:
                self._follower.close()
            self.state.job = JobView(job.id, job.kind)
            self._follower = FollowerService(job.id, Path(message.facts.folder) / job.folder, self)
        self._believe_the_store()
        self._changed()

    def on_job_told(self, message: JobTold) -> None:
        """Take in the job's events."""
        if self.state.job is not None and self.state.job.job_id == message.job_id:
            for event in message.events:
                self.state.job.apply(event)
            self._believe_the_store()
            self._changed()

    def on_store_failed(self, message: StoreFailed) -> None:
        """Say what happened where the pane would be, or beside it when there is something to show."""
        error = message.error
        if self.state.facts is None:
            self._error = Content("\n\n").join(
                [
                    Content.styled(clean_text(error.title), f"{STRONG} {BAD}"),
                    clean_text(error.message),
                    clean_text(error.next),
                ]
            )
            self._changed()
        else:
            self.notify(
                clean_text(f"{error.message}\n{error.next}".strip()),
                title=clean_text(error.title),
                severity="error",
                markup=False,
            )

    def on_resize(self) -> None:
        """A pane is drawn for its size."""
        self._changed()

    def action_station(self, index: int) -> None:
        """Show a station by its number."""
        self.state.chosen = STATIONS[index]
        self._turn()

    def action_station_down(self) -> None:
        """Show the next station."""
        self.state.move(1)
        self._turn()

    def action_station_up(self) -> None:
        """Show the station before."""
        self.state.move(-1)
        self._turn()

    def action_follow(self) -> None:
        """Show the station where the work is."""
        self.state.follow()
        self._turn()

    def action_curate(self) -> None:
        """Review the answers."""
        if self._store is not None:
            self.app.push_screen(CurateScreen(self._store))

    def action_projects(self) -> None:
        """Choose another project."""
        self.app.pop_screen()

    def action_page_down(self) -> None:
        """Scroll the pane down."""
        self.query_one("#scroll").scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll the pane up."""
        self.query_one("#scroll").scroll_page_up(animate=False)

    def action_pause(self) -> None:
        """Pause the job, or let it go on."""
        self._wish_for(("running", "waiting"), "pause", otherwise="resume" if self._job_state() == "paused" else "")

    def action_resume(self) -> None:
        """Take up a job that stopped, failed or was killed."""
        self._wish_for(("paused", "stopped", "failed", "lost"), "resume")

    def action_stop(self) -> None:
        """End the job at its next safe point."""
        self._wish_for(("running", "waiting", "paused"), "stop")

    def _believe_the_store(self) -> None:
        """A process that was killed told its log nothing; the store knows that it ended."""
        job = self.state.facts.newest_job if self.state.facts else None
        if job is not None and self.state.job is not None and job.state not in LIVE_STATES:
            self.state.job.state = job.state

    def _job_state(self) -> str:
        job = self.state.facts.newest_job if self.state.facts else None
        return job.state if job else ""

    def _wish_for(self, states: tuple[str, ...], wish: str, otherwise: str = "") -> None:
        job = self.state.facts.newest_job if self.state.facts else None
        if job is None or self._store is None:
            self.notify("There is no job.", markup=False)
            return
        chosen = wish if job.state in states else otherwise
        match chosen:
            case "pause":
                self._store.wish("pause", job.id)
                self.notify(f"Job {job.id} pauses at its next safe point.", markup=False)
            case "resume":
                self._store.wish("resume", job.id)
                self.notify(f"Job {job.id} goes on.", markup=False)
            case "stop":
                self._store.wish("stop", job.id)
                self.notify(f"Job {job.id} ends at its next safe point. r takes it up again.", markup=False)
            case _:
                self.notify(f"Job {job.id} is {job.state}.", markup=False)

    def _turn(self) -> None:
        self.query_one("#scroll").scroll_home(animate=False)
        self._changed()
        self._draw()

    def _changed(self) -> None:
        self._stale = True

    def _read_again(self) -> None:
        if self._store is not None:
            self._store.read()
        job = self.state.facts.newest_job if self.state.facts else None
        reading = self._meter.read(job.pid) if job is not None and job.pid and job.state == "running" else None
        self.state.cpu_percent = reading.cpu_percent if reading else None
        self.state.rss_mb = reading.rss_mb if reading else None
        self._changed()

    def _draw(self) -> None:
        """Draw what changed since the last time; nothing at all where nothing did."""
        if not self._stale or not self.is_mounted:
            return
        self._stale = False
        facts, state = self.state.facts, self.state
        self.query_one(Header).show(state, self.size.width - 2)
        scroll = self.query_one("#scroll")
        width, height = max(scroll.size.width - 3, 20), max(scroll.size.height, 8)
        pane = self.query_one("#pane", Static)
        if facts is None:
            pane.update(self._error or Content.styled("Reading the project …", DIM))
            return
        self.query_one(Rail).show(facts.stations, state.shown, self._working())
        self.query_one(Spine).show(facts.stations, state.shown)
        pane.update(page([*self._trouble(width), *PANES[state.shown](View(state, facts, width, height))]))

    def _working(self) -> str:
        progress = self.state.job.progress if self.state.job is not None and self.state.job.live else None
        return percent(progress.done / progress.total) if progress is not None and progress.total else ""

    def _trouble(self, width: int) -> list[Content]:
        """Why the newest job failed, above whatever is shown."""
        job = self.state.facts.newest_job if self.state.facts else None
        if job is None or job.state not in ("failed", "lost"):
            return []
        head = f"✗ {job.kind} {'was killed' if job.state == 'lost' else 'failed'}; r takes it up again"
        return [
            Content.styled(head, f"{STRONG} {BAD}"),
            *(Content(f"  {line}") for line in wrap(job.note, width - 2)[:5]),
            Content(""),
        ]

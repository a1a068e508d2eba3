"""What the workspace knows: the store's facts as last read, the job that is watched, and the shape of the page.

Pure Python, free of Textual and of I/O.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.records.job import LIVE_STATES
from engine.records.station import StationName
from tui.actions import PANES, PaneName
from tui.keys import key_of
from tui.screens.workspace.vain import present_labels, vain_actions
from tui.screens.workspace.wishes import Asked, answer_to
from tui.services.meters import GpuReading, Reading
from tui.widgets.rows import within
from tui.widgets.shares import Shares

if TYPE_CHECKING:
    from tui.panes.job import JobView
    from tui.services.facts import Facts

RAIL_WIDTH = 28
NARROWEST_RAIL = 18
WIDEST_RAIL = 48


@dataclass(slots=True)
class WorkspaceState:
    """The screen's whole state."""

    facts: "Facts | None" = None
    job: "JobView | None" = None
    chosen: PaneName | None = None  # None: follow the work
    held: PaneName | None = None  # in which words are typed: meanwhile the work is not followed
    maximised: bool = False
    rail_width: int = RAIL_WIDTH
    shares: Shares = field(default_factory=Shares)  # where the dividers within panes stand
    arms: str = ""  # which the chat compares, once a person chose
    load: Reading | None = None  # of the running job
    gpu: GpuReading | None = None
    asked_to_end: int = 0  # the job that was, until the facts tell of it; 0: none

    @property
    def shown(self) -> PaneName:
        """The pane on the screen: the chosen one, else where the work is, or was when it stopped, failed or was killed,
        or made a release; else how far the project is.
        """
        if (stays := self.chosen or self.held) is not None:
            return stays
        if self.job is not None and self.job.kind != "serve":  # which makes nothing to be seen
            if self.job.live or self.job.kind == "export":
                return self.job.station
            if (left := self._left_at()) is not None:
                return left
        return self._furthest()

    @property
    def progress(self) -> float | None:
        """The share that the job which works has done; None where none does or it does not tell."""
        return self.job.share if self.job is not None else None

    @property
    def vain(self) -> frozenset[str]:
        """The actions that nothing is there for now."""
        return vain_actions(self.facts, self.job)

    @property
    def labels(self) -> dict[str, str]:
        """What keys do now, where that is not what they usually do."""
        return present_labels(self.facts)

    def take(self, facts: "Facts") -> bool:
        """Take in what the store says now; whether that is the first that is known."""
        first, self.facts, self.asked_to_end = self.facts is None, facts, 0
        return first

    def wish_for(self, asked: Asked) -> tuple[Asked | None, int, str]:
        """The wish that is put to the watched job, None where there is none to put; its number, and what is said."""
        job = self.facts.newest_job if self.facts else None
        number = job.id if job is not None else 0
        ending = self.facts is not None and number in (*self.facts.ending, self.asked_to_end)
        wish, said = answer_to(asked, job, ending=ending)
        if wish == "stop":
            self.asked_to_end = number
        others = [other for other in self.facts.jobs if other is not job] if self.facts is not None else []
        if wish is None and any(other.state in LIVE_STATES for other in others):
            said = f"{said} {key_of('workspace.jobs')} steers the others."
        return wish, number, said

    def believe_the_store(self) -> None:
        """A process that was killed told its log nothing, and one that was just taken up again has not yet."""
        job = self.facts.newest_job if self.facts else None
        if job is not None and self.job is not None and (job.state in LIVE_STATES) != self.job.live:
            self.job.state = job.state

    def restore(self, pane: str, rail_width: int, maximised: bool = False) -> None:
        """Begin as the person left: the pane that was chosen, where there is one of that name, and the page's shape."""
        self.maximised = maximised
        self.chosen = next((known for known in PANES if known == pane), None)
        if rail_width:
            self.rail_width = max(NARROWEST_RAIL, min(rail_width, WIDEST_RAIL))

    def move(self, steps: int) -> None:
        """Choose the pane `steps` below the shown one; the rail does not wrap."""
        self.chosen = PANES[within(PANES.index(self.shown) + steps, len(PANES))]

    def follow(self) -> None:
        """Go where the work is, and stay with it."""
        self.chosen = None

    def widen(self, cells: int) -> None:
        """Make the rail wider or narrower, within reason; 0 gives it its own width."""
        width = self.rail_width + cells if cells else RAIL_WIDTH
        self.rail_width = max(NARROWEST_RAIL, min(width, WIDEST_RAIL))

    def _left_at(self) -> StationName | None:
        """Where the watched job ended without being done: what is left to do is there, and so is why."""
        job = self.facts.newest_job if self.facts else None
        if job is None or self.job is None or job.id != self.job.job_id or job.state in (*LIVE_STATES, "done"):
            return None
        return job.stage

    def _furthest(self) -> StationName:
        """The evaluation where there is one, for it is what the work was for; else the last station with content."""
        if self.facts is None:
            return "prompt"
        if self.facts.evaluation is not None:
            return "evaluation"
        made = [station.name for station in self.facts.stations if station.count and station.name != "release"]
        return made[-1] if made else "prompt"

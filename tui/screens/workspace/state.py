"""The state of the workspace: the facts as last read, the watched job, and the layout.

Pure Python, free of Textual and of I/O.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.records.job import LIVE_STATES
from engine.records.station import StationName
from tui.actions import PANES, PaneName
from tui.keys import key_of
from tui.screens.workspace.job_keys import JobKey, answer_to, meant_job
from tui.screens.workspace.unavailable import present_labels, unavailable_actions
from tui.services.meters import GpuReading, Reading
from tui.widgets.rows import within
from tui.widgets.shares import Shares

if TYPE_CHECKING:
    from tui.services.facts import Facts
    from tui.services.job_view import JobView

RAIL_WIDTH = 28
NARROWEST_RAIL = 18
WIDEST_RAIL = 48


@dataclass(slots=True)
class WorkspaceState:
    """The screen's whole state."""

    facts: "Facts | None" = None
    job: "JobView | None" = None
    chosen: PaneName | None = None  # None: follow the work
    held: PaneName | None = None  # the pane in which text is being typed: meanwhile the work is not followed
    maximised: bool = False
    rail_width: int = RAIL_WIDTH
    shares: Shares = field(default_factory=Shares)  # positions of the dividers within panes
    arms: str = ""  # the arms chosen in the chat
    load: Reading | None = None  # of the running job
    gpu: GpuReading | None = None
    freezing: bool = False  # a dataset, here in the app: no job does it
    asked_to_end: int = 0  # the job asked to stop, until the facts show it; 0: none

    @property
    def shown(self) -> PaneName:
        """The pane on the screen: the chosen one, else where the work is, or was when it stopped, failed, was killed,
        or exported a release; else the furthest station reached.
        """
        if (stays := self.chosen or self.held) is not None:
            return stays
        if self.job is not None and self.job.kind != "serve":  # which has no pane
            if self.job.live or self.job.kind == "export":
                return self.job.station
            if (left := self._left_at()) is not None:
                return left
        return self._furthest()

    @property
    def facts_shown(self) -> "Facts | None":
        """The facts, with a dataset that is being frozen as work like any other."""
        if self.facts is None or not self.freezing:
            return self.facts
        frozen = (
            replace(station, state="running", note="freezing") if station.name == "dataset" else station
            for station in self.facts.stations
        )
        return replace(self.facts, stations=tuple(frozen))

    @property
    def progress(self) -> float | None:
        """The share of its work that the running job has done; None if there is none or it is unknown."""
        return self.job.share if self.job is not None else None

    @property
    def unavailable(self) -> frozenset[str]:
        """The actions that cannot do anything now."""
        return unavailable_actions(self.facts, self.job, self.shown)

    @property
    def labels(self) -> dict[str, str]:
        """Labels of keys that currently do something other than usual."""
        return present_labels(self.facts)

    def take(self, facts: "Facts") -> bool:
        """Store the facts; returns whether they are the first."""
        first, self.facts, self.asked_to_end = self.facts is None, facts, 0
        return first

    def tick(self, seconds: float) -> bool:
        """Let this time pass; returns whether a clock is shown, which advances between two events."""
        if self.job is None or self.job.state != "running":
            return self.freezing
        self.job.tick(seconds)
        return True

    def press(self, key: JobKey) -> tuple[JobKey | None, int, str]:
        """The request to the watched job, None if there is none to make; its id, and the message to show."""
        job = meant_job(key, self.facts, self.job, self.shown)
        number = job.id if job is not None else 0
        asked = self.facts.asked.get(number, "") if self.facts is not None else ""
        command, message = answer_to(key, job, "stopping" if number and number == self.asked_to_end else asked)
        if command == "stop":
            self.asked_to_end = number
        others = [other for other in self.facts.jobs if other.id != number] if self.facts is not None else []
        if command is None and any(other.state in LIVE_STATES for other in others):
            message = f"{message} {key_of('workspace.jobs')} lists the others."
        return command, number, message

    def believe_the_store(self) -> None:
        """Take the job's state from the store if its log lags: killed processes log nothing, resumed ones not yet."""
        job = self.facts.newest_job if self.facts else None
        if job is not None and self.job is not None and (job.state in LIVE_STATES) != self.job.live:
            self.job.state = job.state

    def restore(self, pane: str, rail_width: int, maximised: bool = False) -> None:
        """Restore the last session: the chosen pane, if it exists, and the layout."""
        self.maximised = maximised
        self.chosen = next((known for known in PANES if known == pane), None)
        if rail_width:
            self.rail_width = max(NARROWEST_RAIL, min(rail_width, WIDEST_RAIL))

    def move(self, steps: int) -> None:
        """Choose the pane `steps` below the shown one, without wrapping."""
        self.chosen = PANES[within(PANES.index(self.shown) + steps, len(PANES))]

    def follow(self) -> None:
        """Follow the work from now on."""
        self.chosen = None

    def widen(self, cells: int) -> None:
        """Widen or narrow the rail, within limits; 0 restores its default width."""
        width = self.rail_width + cells if cells else RAIL_WIDTH
        self.rail_width = max(NARROWEST_RAIL, min(width, WIDEST_RAIL))

    def _left_at(self) -> StationName | None:
        """The station where the watched job ended early: the reason and the remaining work are there."""
        job = self.facts.newest_job if self.facts else None
        if job is None or self.job is None or job.id != self.job.job_id or job.state in (*LIVE_STATES, "done"):
            return None
        return job.stage

    def _furthest(self) -> StationName:
        """The evaluation if there is one, as the goal of the work; else the last station with content."""
        if self.facts is None:
            return "prompt"
        if self.facts.evaluation is not None:
            return "evaluation"
        made = [station.name for station in self.facts.stations if station.count and station.name != "release"]
        return made[-1] if made else "prompt"

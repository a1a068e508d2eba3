"""Watches the newest job of a project for its screen: its log, and its load on the machine.

Both are read by separate services, which start with the first job to watch.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from textual.screen import Screen

from tui.screens.workspace.state import WorkspaceState
from tui.services.meters import MeterService

if TYPE_CHECKING:  # not needed for the first paint of a project
    from tui.services.follower import FollowerService


class Watching:
    """The watched job of one screen. `screen` receives the services' messages."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self._follower: FollowerService | None = None
        self._meters: MeterService | None = None

    def follow(self, state: WorkspaceState) -> None:
        """Switch to the log of the newest job, if another was watched before."""
        job = state.facts.newest_job if state.facts is not None else None
        if state.facts is None or job is None or (state.job is not None and state.job.job_id == job.id):
            return
        from tui.services.follower import FollowerService
        from tui.services.job_view import JobView

        if self._follower is not None:
            self._follower.close()
        state.job = JobView(job.id, job.kind)
        self._follower = FollowerService(job, Path(state.facts.folder) / job.folder, self._screen)

    def read_meters(self, state: WorkspaceState) -> None:
        """Read the load of the running job, and of the GPUs."""
        if not self._screen.is_attached:  # the user has left
            return
        job = state.facts.newest_job if state.facts is not None else None
        if self._meters is None:
            self._meters = MeterService(self._screen)
        self._meters.watch(job.pid if job is not None and job.state == "running" else 0)

    def close(self) -> None:
        """Stop watching; the job is not affected."""
        if self._follower is not None:
            self._follower.close()
        if self._meters is not None:
            self._meters.close()

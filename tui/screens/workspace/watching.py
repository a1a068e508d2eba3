"""Watches the newest job of a project for its screen: what its log tells, and the load that it puts on the machine.

Both are read by services of their own, which begin with the first job that there is to watch.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.screen import Screen

from tui.screens.workspace.state import WorkspaceState
from tui.services.meters import MeterService

if TYPE_CHECKING:  # the first sight of a project does without it
    from tui.panes.job import JobView
    from tui.services.follower import FollowerService


class Watching:
    """The job of one screen. `screen` gets the messages of the services."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self._follower: FollowerService[JobView] | None = None
        self._meters: MeterService | None = None

    def follow(self, state: WorkspaceState) -> None:
        """Let the log of the newest job be told, where another was watched before."""
        job = state.facts.newest_job if state.facts is not None else None
        if state.facts is None or job is None or (state.job is not None and state.job.job_id == job.id):
            return
        from tui.panes.job import JobView
        from tui.services.follower import FollowerService

        if self._follower is not None:
            self._follower.close()
        begin = partial(JobView, job.id, job.kind)
        state.job = begin()
        self._follower = FollowerService(job.id, Path(state.facts.folder) / job.folder, self._screen, begin)

    def read_meters(self, state: WorkspaceState) -> None:
        """Read the load of the running job, and of the GPUs."""
        if not self._screen.is_attached:  # the person has left
            return
        job = state.facts.newest_job if state.facts is not None else None
        if self._meters is None:
            self._meters = MeterService(self._screen)
        self._meters.watch(job.pid if job is not None and job.state == "running" else 0)

    def close(self) -> None:
        """Let go of the log; the job is not touched."""
        if self._follower is not None:
            self._follower.close()
        if self._meters is not None:
            self._meters.close()

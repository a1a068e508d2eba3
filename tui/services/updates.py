"""Starts the job that brings a project up to date. Knows nothing of the plan shown before."""

from collections.abc import Callable

from engine.project import Project
from engine.records.options import UpdateOptions
from engine.updates.begin import begin_update
from tui.services.store import JobStarted


def update_with(options: UpdateOptions) -> Callable[[Project], JobStarted]:
    """Work that starts the update, or finds the running one. Raises UsageError if another job is running."""
    return lambda project: JobStarted(begin_update(project, options))

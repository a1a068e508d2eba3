"""What a pane is given to draw: the project's facts, the job that is watched, and the room in cells. Pure."""

from dataclasses import dataclass

from tui.panes.job import JobView
from tui.services.facts import Facts


@dataclass(frozen=True, slots=True)
class View:
    """State on its way down; a pane changes nothing of it."""

    facts: Facts
    job: JobView | None
    width: int = 0
    height: int = 0

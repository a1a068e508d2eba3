"""What a pane is given to draw: the project's facts, the watched job, and the size in cells. Pure."""

from dataclasses import dataclass

from tui.services.facts import Facts
from tui.services.job_view import JobView


@dataclass(frozen=True, slots=True)
class View:
    """State passed down to a pane, which never changes it."""

    facts: Facts
    job: JobView | None
    width: int = 0
    height: int = 0

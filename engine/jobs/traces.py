"""What the logs of a run's jobs say about it: metrics of every step, watched answers, the tokens that differ most.

A log is a convenience and may be gone: everything essential is in the store. Knows nothing of who shows it.
"""

from typing import TYPE_CHECKING

from engine.jobs.follow import read_all
from engine.jobs.protocol import Metrics, SampleAnswer, StampedEvent, WorstTokens

if TYPE_CHECKING:
    from engine.project import Project


def read_trace(project: "Project", run_id: int) -> tuple[StampedEvent, ...]:
    """Return the metrics, watched answers and differing tokens of a run, in the order in which its jobs wrote them."""
    events: list[StampedEvent] = []
    for number in project.runs.trained_by().get(run_id, ()):
        recorded = read_all(project.folder / project.jobs.get(number).folder)
        events += [each for each in recorded if isinstance(each.event, Metrics | SampleAnswer | WorstTokens)]
    return tuple(events)

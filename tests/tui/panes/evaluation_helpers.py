"""What the tests of the evaluation pane share."""

from functools import partial
from pathlib import Path

from textual.pilot import Pilot

from engine.paths import Home
from engine.project import Project
from engine.records.job import Job
from tests.tui.piloting import go_to_pane, pane_of, text_of
from tui.app import DistillApp
from tui.panes.evaluation.pane import EvaluationPane

pane = partial(pane_of, kind=EvaluationPane)
text = partial(text_of, kind=EvaluationPane)


async def open_pane(pilot: Pilot[int], app: DistillApp, expected: str) -> None:
    await go_to_pane(pilot, 6, EvaluationPane, lambda: expected in text(app))


def last_job(folder: Path, home: Home) -> Job:
    with Project.open(folder, home) as project:
        return project.jobs.all()[-1]

"""The panes: one pure function a station, from a view of the state to the lines on the screen.

Every pane opens with a title line that says what it is and its one number; every pane says what comes next where
it is empty.
"""

from collections.abc import Callable

from textual.content import Content

from engine.records.station import StationName
from tui.screens.workspace.panes import dataset, evaluation, examples, prompt, questions, release, run
from tui.screens.workspace.panes.parts import View

Draw = Callable[[View], list[Content]]

PANES: dict[StationName, Draw] = {
    "prompt": prompt.draw,
    "questions": questions.draw,
    "examples": examples.draw,
    "dataset": dataset.draw,
    "run": run.draw,
    "evaluation": evaluation.draw,
    "release": release.draw,
}

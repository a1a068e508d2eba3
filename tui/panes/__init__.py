"""The panes: one package a face of the workspace, each with its drawing, its state where it has one, and its widget.

Every pane opens with a title line that says what it is and its one number; every pane says what comes next where
it is empty.
"""

from tui.actions import PaneName
from tui.panes.dataset.pane import DatasetPane
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.examples.pane import ExamplesPane
from tui.panes.pane import Pane
from tui.panes.prompt.pane import PromptPane
from tui.panes.questions.pane import QuestionsPane
from tui.panes.release.pane import ReleasePane
from tui.panes.run.pane import RunPane

PANE_CLASSES: dict[PaneName, type[Pane]] = {
    pane.place: pane
    for pane in (PromptPane, QuestionsPane, ExamplesPane, DatasetPane, RunPane, EvaluationPane, ReleasePane)
}

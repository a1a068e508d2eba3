"""What the tests of the questions pane share: driving it by keys, and reading what is stored."""

from functools import partial
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input

from engine.paths import Home
from engine.project import Project
from engine.records.question import Question
from tests.tui.piloting import go_to_pane, pane_of, text_of, wait_for_form
from tui.app import DistillApp
from tui.panes.questions.pane import QuestionsPane

pane = partial(pane_of, kind=QuestionsPane)
text = partial(text_of, kind=QuestionsPane)


def stored_questions(folder: Path, home: Home) -> tuple[Question, ...]:
    with Project.open(folder, home) as project:
        return project.questions.all()


async def open_pane(pilot: Pilot[int], app: DistillApp, expected: str = "Questions") -> None:
    await go_to_pane(pilot, 2, QuestionsPane, lambda: expected in text(app))


async def fill_in(pilot: Pilot[int], app: DistillApp, **values: str) -> None:
    """Fill in the fields of the open form and submit it."""
    form = await wait_for_form(pilot)
    for name, value in values.items():
        form.query_one(f"#field-{name}", Input).value = value
    await pilot.press("enter")

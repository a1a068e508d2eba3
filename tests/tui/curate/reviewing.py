"""What the tests of the review share: a project with open answers, the way to the screen, and what it shows."""

from pathlib import Path

from textual.pilot import Pilot

from engine.paths import Home
from engine.project import Project
from engine.records.example import CuratedExample, Example, ExampleKey
from engine.records.rule import CheckResult
from tests.tui.piloting import until
from tests.tui.seeds import PROMPT, add_examples, make_project
from tui.app import DistillApp
from tui.screens.curate.screen import CurateScreen
from tui.screens.curate.state import ReviewState
from tui.widgets.page import Page

SIZES = [(80, 24), (120, 40)]
LONG = "RISK SCORE: 4. " + " ".join(f"Step {n}: call the desk and tell it what you told us." for n in range(1, 90))


def page(app: DistillApp) -> str:
    return app.screen.query_one("#review", Page).plain if isinstance(app.screen, CurateScreen) else ""


def reviewing(app: DistillApp) -> ReviewState:
    assert isinstance(app.screen, CurateScreen)
    return app.screen.state


async def opened(pilot: Pilot[int], app: DistillApp) -> None:
    await until(pilot, lambda: bool(app.screen.query("Pane")))
    await until(pilot, lambda: getattr(getattr(app.screen, "state", None), "facts", None) is not None)
    await pilot.press("c")
    await until(pilot, lambda: "Review" in page(app))


async def settled(pilot: Pilot[int], app: DistillApp) -> None:
    await until(pilot, lambda: reviewing(app).awaited == 0 and reviewing(app).listed is not None)


def stored(folder: Path, home: Home) -> tuple[CuratedExample, ...]:
    with Project.open(folder, home) as project:
        return project.examples.all()


def states(folder: Path, home: Home) -> str:
    """The first letter of every example's state, by id."""
    return "".join(row.state[0] for row in stored(folder, home))


def make_reviewed(home: Home) -> Path:
    """Twenty answers, the last five of them undecided."""
    with make_project(home) as project:
        add_examples(project, 15)
        decided = {row.example.id for row in project.examples.all()}
        add_examples(project, 20)
        project.decisions.undo()
        assert {row.example.id for row in project.examples.all() if row.state == "undecided"}.isdisjoint(decided)
        return project.folder


def add_attempt(project: Project, question_id: int, attempt: int, answer: str) -> None:
    """One more answer to a question, undecided."""
    checks = tuple(CheckResult(rule.id, passed=True) for rule in project.rules.all())
    key = ExampleKey(PROMPT.sha256, question_id, "starter", attempt)
    project.examples.add([Example(key, answer, "stop", "local", checks=checks)])

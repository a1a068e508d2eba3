"""Helpers for tests of the review: a project with undecided answers, opening the screen, and reading what it shows."""

from pathlib import Path

from textual.app import App
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
from tui.services.review import ReviewPage
from tui.widgets.page import Page

LONG = "RISK SCORE: 4. " + " ".join(f"Step {n}: call the desk and tell it what you told us." for n in range(1, 90))


def review_text(app: App[int]) -> str:
    return app.screen.query_one("#review", Page).plain if isinstance(app.screen, CurateScreen) else ""


def review_state(app: App[int]) -> ReviewState:
    assert isinstance(app.screen, CurateScreen)
    return app.screen.state


def review_page(app: App[int]) -> ReviewPage:
    """Return what the review has read from the store."""
    page = review_state(app).page
    assert page is not None
    return page


async def open_review(pilot: Pilot[int], app: DistillApp) -> None:
    """Open the review of the project."""
    await until(pilot, lambda: bool(app.screen.query("Pane")))
    await until(pilot, lambda: getattr(getattr(app.screen, "state", None), "facts", None) is not None)
    await pilot.press("c")
    await until(pilot, lambda: "Review" in review_text(app))


async def wait_until_loaded(pilot: Pilot[int], app: DistillApp) -> None:
    """Wait until the review has read everything that it asked the store for."""
    await until(pilot, lambda: review_state(app).awaited == 0 and review_state(app).listed is not None)


def stored_examples(folder: Path, home: Home) -> tuple[CuratedExample, ...]:
    with Project.open(folder, home) as project:
        return project.examples.all()


def stored_states(folder: Path, home: Home) -> str:
    """Return the first letter of the state of each example, ordered by id."""
    return "".join(row.state[0] for row in stored_examples(folder, home))


def make_reviewed_project(home: Home) -> Path:
    """Create a project with twenty answers, the last five undecided."""
    with make_project(home) as project:
        add_examples(project, 15)
        decided = {row.example.id for row in project.examples.all()}
        add_examples(project, 20)
        project.decisions.undo()
        assert {row.example.id for row in project.examples.all() if row.state == "undecided"}.isdisjoint(decided)
        return project.folder


def add_attempt(project: Project, question_id: int, attempt: int, answer: str) -> None:
    """Add another, undecided answer to a question."""
    checks = tuple(CheckResult(rule.id, passed=True) for rule in project.rules.all())
    key = ExampleKey(PROMPT.sha256, question_id, "starter", attempt)
    project.examples.add([Example(key, answer, "stop", "local", checks=checks)])

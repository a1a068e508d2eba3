"""What the tests of the prompt pane share: driving it by keys, and reading what is stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from textual.app import App
from textual.pilot import Pilot

from engine.paths import Home
from engine.project import DRAFT, Project
from engine.records.prompt import Message, Prompt
from engine.records.rule import Rule
from tests.tui.piloting import go_to_pane, pane_of, until
from tests.tui.seeds import PROMPT
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.panes.prompt.editor import DocumentArea
from tui.panes.prompt.pane import PromptPane
from tui.panes.prompt.state import Mode
from tui.services.facts import Facts
from tui.widgets.footer import Footer
from tui.widgets.page import Page

LATER = Prompt(
    (
        Message("system", "You answer for Meridian, a small bank. Begin with a risk score, then two short sentences."),
        *PROMPT.example_turns,
    )
)
ELSEWHERE = Prompt((Message("system", "You answer in York."),))
pane = partial(pane_of, kind=PromptPane)


def shown_facts(app: App[int]) -> Facts:
    """The facts that the pane was drawn from."""
    facts = pane(app).facts
    assert facts is not None
    return facts


def mode(app: DistillApp) -> Mode:
    return pane(app).state.mode


def text(app: DistillApp) -> str:
    """The text of the visible parts of the pane, including the field."""
    pages = app.screen.query("PromptPane Page").results(Page)
    return "\n".join(page.plain for page in pages if page.is_on_screen or page.region.area)


def field(app: DistillApp) -> DocumentArea:
    assert isinstance(app.focused, DocumentArea)
    return app.focused


def form_title(app: DistillApp) -> str:
    """The title of the open form; empty if there is none."""
    return app.screen._title if isinstance(app.screen, FormScreen) else ""


def footer_labels(app: DistillApp) -> list[str]:
    return [action.label for action in app.screen.query_one(Footer)._actions]


async def open_pane(pilot: Pilot[int], app: DistillApp) -> None:
    await go_to_pane(pilot, 1, PromptPane, lambda: app.focused is not None)


async def start_typing(pilot: Pilot[int], app: DistillApp) -> None:
    """Open the field and wait until it has the focus."""
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.focused, DocumentArea))


@asynccontextmanager
async def editing(home: Home, folder: Path, size: tuple[int, int]) -> AsyncIterator[tuple[Pilot[int], DistillApp]]:
    """Run the app on the project in `folder` with the pane's field open."""
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app)
        await start_typing(pilot, app)
        yield pilot, app


async def type_text(pilot: Pilot[int], typed: str) -> None:
    await pilot.press(*("enter" if char == "\n" else "space" if char == " " else char for char in typed))


def stored_draft(folder: Path) -> str:
    return (folder / DRAFT).read_text() if (folder / DRAFT).exists() else ""


def stored_prompt(folder: Path, home: Home) -> tuple[int, Prompt | None]:
    """The number of versions, and the current prompt."""
    with Project.open(folder, home) as project:
        current = project.prompts.current()
        return len(project.prompts.versions()), current.prompt if current else None


def stored_rules(folder: Path, home: Home) -> tuple[Rule, ...]:
    with Project.open(folder, home) as project:
        return project.rules.all()


def save_elsewhere(folder: Path, home: Home) -> None:
    """Save another version, as another terminal or a command would."""
    with Project.open(folder, home) as project:
        project.prompts.set(ELSEWHERE)

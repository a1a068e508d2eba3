"""What tests of the app share: waiting for the screen, and reading what it shows."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from textual.app import App
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from engine.paths import Home
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.panes.pane import Pane
from tui.screens.workspace.screen import READ_EVERY_S, WorkspaceScreen
from tui.services.facts import Facts
from tui.widgets.footer import Footer
from tui.widgets.page import Page

P = TypeVar("P", bound=Pane)

SIZES = [(80, 24), (120, 40)]


async def until(pilot: Pilot[int], condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition of the screen, so long at least: what a busy machine adds to each wait is not counted."""
    for _ in range(round(seconds / 0.05)):
        if condition():
            return
        await pilot.pause(0.05)
    raise AssertionError("the screen never came to show it")


async def settled(pilot: Pilot[int]) -> None:
    """Wait until the screen stays as it is for longer than the store goes unread."""
    now, same = seen(pilot.app), 0
    while same < round(1.5 * READ_EVERY_S / 0.2):
        await pilot.pause(0.2)
        before, now = now, seen(pilot.app)
        same = same + 1 if now == before else 0


def seen(app: App[int]) -> object:
    """All that meets the eye on the screen that is on, without what blinks."""
    for field in app.screen.query(Input):
        field.cursor_blink = False
    for area in app.screen.query(TextArea):
        area.cursor_blink = False
    return [[(piece.text, piece.style) for piece in strip] for strip in app.screen._compositor.render_strips()]


def open_app(home: Home, folder: Path | None) -> DistillApp:
    return DistillApp(home, folder)


def workspace(app: DistillApp) -> WorkspaceScreen:
    """The project's screen, whatever stands above it."""
    return next(screen for screen in app.screen_stack if isinstance(screen, WorkspaceScreen))


def facts_of(app: DistillApp) -> Facts:
    """What the project's screen knows of the store."""
    facts = workspace(app).state.facts
    assert facts is not None
    return facts


def pane_of(app: DistillApp, kind: type[P]) -> P:
    return workspace(app).query_one(kind)


def text_of(app: DistillApp, kind: type[Pane]) -> str:
    """What stands in that pane; nothing while it is not on the screen."""
    return "\n".join(
        page.plain
        for screen in app.screen_stack
        for pane in screen.query(kind)
        for page in pane.query(Page)
        if page.display
    )


def pane_text(app: DistillApp) -> str:
    """What stands in the pane that is shown, and the trouble above it."""
    pages = app.screen.query("#trouble, .lines").results(Page)
    return "\n".join(page.plain for page in pages if page.display and page.parent and page.parent.display)


def footer(app: DistillApp) -> str:
    """What the footer tells, as far as it fits."""
    told = app.screen.query_one(Footer).render()
    assert isinstance(told, Content)
    return told.plain.rstrip()


def shown(app: DistillApp) -> str:
    """The name of the pane that is shown; nothing before it is on the screen."""
    screen = app.screen
    return screen.state.shown if isinstance(screen, WorkspaceScreen) and screen.query(Pane) else ""


async def reach(pilot: Pilot[int], number: int, kind: type[Pane], ready: Callable[[], bool]) -> None:
    """Press a station's number once the project was read, and wait until its pane is ready."""
    app = pilot.app
    await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen) and app.screen.state.facts is not None)
    await pilot.press(str(number))
    await until(pilot, lambda: bool(app.screen.query(kind)) and ready())


async def form_of(pilot: Pilot[int]) -> FormScreen:
    """The form that is asked on the screen, once one of its fields has the keys and its words stand."""
    app = pilot.app
    # A field may have the keys before the form was mounted, which is when it says what its values mean.
    await until(
        pilot, lambda: isinstance(app.screen, FormScreen) and app.screen.is_mounted and app.screen.focused is not None
    )
    assert isinstance(app.screen, FormScreen)
    return app.screen

"""Helpers for tests that drive the app: waiting for the screen, and reading what it shows."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from textual.app import App
from textual.content import Content
from textual.geometry import Size
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from engine.paths import Home
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.panes.pane import Pane
from tui.screens.workspace.screen import READ_EVERY_S, WorkspaceScreen
from tui.services.facts import Facts
from tui.widgets.footer import Footer
from tui.widgets.page import Page

P = TypeVar("P", bound=Pane)
R = TypeVar("R")

SIZES = [(80, 24), (120, 40)]


async def until(pilot: Pilot[R], condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until the condition holds, at least `seconds`; delays that a busy machine adds do not count."""
    for _ in range(round(seconds / 0.05)):
        if condition():
            return
        await pilot.pause(0.05)
    raise AssertionError("the condition never became true")


async def settled(pilot: Pilot[int]) -> None:
    """Wait until the screen is unchanged for longer than the interval between two reads of the store."""
    now, same = screen_contents(pilot.app), 0
    while same < round(1.5 * READ_EVERY_S / 0.2):
        await pilot.pause(0.2)
        before, now = now, screen_contents(pilot.app)
        same = same + 1 if now == before else 0


def screen_contents(app: App[int]) -> object:
    """Return everything drawn on the current screen, text and styles; cursors are set not to blink."""
    for field in app.screen.query(Input):
        field.cursor_blink = False
    for area in app.screen.query(TextArea):
        area.cursor_blink = False
    return [[(piece.text, piece.style) for piece in strip] for strip in app.screen._compositor.render_strips()]


def open_app(home: Home, folder: Path | None) -> DistillApp:
    return DistillApp(home, folder)


def workspace(app: App[int]) -> WorkspaceScreen:
    """Return the workspace screen, whatever screens are above it."""
    return next(screen for screen in app.screen_stack if isinstance(screen, WorkspaceScreen))


def facts_of(app: App[int]) -> Facts:
    """Return the facts that the workspace has read from the store."""
    facts = workspace(app).state.facts
    assert facts is not None
    return facts


def pane_of(app: App[int], kind: type[P]) -> P:
    return workspace(app).query_one(kind)


def text_of(app: App[int], kind: type[Pane]) -> str:
    """Return the text of all displayed pages of a pane; empty while the pane is not mounted."""
    return "\n".join(
        page.plain
        for screen in app.screen_stack
        for pane in screen.query(kind)
        for page in pane.query(Page)
        if page.display
    )


def pane_text(app: App[int]) -> str:
    """Return the text of the visible pane, and of the error lines above it."""
    pages = app.screen.query("#trouble, .lines").results(Page)
    return "\n".join(page.plain for page in pages if page.display and page.parent and page.parent.display)


def footer(app: App[int]) -> str:
    """Return the visible text of the footer."""
    content = app.screen.query_one(Footer).render()
    assert isinstance(content, Content)
    return content.plain.rstrip()


def screen_text(app: App[int]) -> str:
    """Return everything drawn on the current screen, without styles."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(Size(*app.size)))


def toast_text(app: App[int]) -> str:
    """Return the titles and messages of all toasts, one per line."""
    return "\n".join(f"{toast.title} {toast.message}" for toast in app._notifications)


async def wait_for_text(pilot: Pilot[int], read: Callable[[App[int]], str], text: str) -> None:
    """Wait until what `read` returns contains the text."""
    await until(pilot, lambda: text in read(pilot.app))


async def wait_for_toast(pilot: Pilot[int], text: str) -> None:
    """Wait until a toast contains the text in its title or message."""
    await wait_for_text(pilot, toast_text, text)


def shown(app: App[int]) -> str:
    """Return the name of the visible pane; empty before it is mounted."""
    screen = app.screen
    return screen.state.shown if isinstance(screen, WorkspaceScreen) and screen.query(Pane) else ""


async def wait_for_pane(pilot: Pilot[int], name: str) -> None:
    """Wait until the pane with this name is visible."""
    await until(pilot, lambda: shown(pilot.app) == name)


async def wait_for_facts(pilot: Pilot[int]) -> None:
    """Wait until the workspace has read the project."""
    await until(pilot, lambda: workspace(pilot.app).state.facts is not None)


async def go_to_pane(pilot: Pilot[int], number: int, kind: type[Pane], ready: Callable[[], bool]) -> None:
    """Wait until the project is read, press the station's number, and wait until its pane is ready."""
    app = pilot.app
    await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen) and app.screen.state.facts is not None)
    await pilot.press(str(number))
    await until(pilot, lambda: bool(app.screen.query(kind)) and ready())


async def wait_for_form(pilot: Pilot[int]) -> FormScreen:
    """Return the open form once it is mounted and one of its fields has the focus."""
    app = pilot.app
    # A field may have the focus before the form is mounted, but its explanations appear only then.
    await until(
        pilot, lambda: isinstance(app.screen, FormScreen) and app.screen.is_mounted and app.screen.focused is not None
    )
    assert isinstance(app.screen, FormScreen)
    return app.screen


def form_aside(app: App[int]) -> str:
    """Return the note beside the fields of the open form; empty if no form is open."""
    return str(app.screen.query_one("#aside", Static).visual) if isinstance(app.screen, FormScreen) else ""


def field_error(app: App[int], field: str) -> str:
    """Return the error below a field of the open form; empty if there is none, or no form is open."""
    if not isinstance(app.screen, FormScreen) or not app.screen.is_mounted:
        return ""
    error = app.screen.query_one(f"#error-{field}", Static)
    return str(error.visual).removeprefix("✗ ") if error.display else ""


def press_at_once(app: DistillApp, *keys: str) -> None:
    for key in keys:
        app.simulate_key(key)

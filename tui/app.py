"""The app: themes, global keys, and which screen is on. Knows nothing of what the screens show."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

from engine.clean import clean_text
from engine.paths import Home
from tui.actions import Place, bindings
from tui.palette import commands
from tui.screens.curate.screen import CurateScreen
from tui.screens.help.screen import HelpScreen
from tui.screens.jump.screen import JumpScreen, targets_on
from tui.screens.start.screen import ProjectChosen, StartScreen
from tui.screens.workspace.screen import WorkspaceScreen
from tui.services.projects import last_project
from tui.themes import DEFAULT_THEME, load_themes


class DistillApp(App[int]):
    """`distill-tui` in a terminal."""

    TITLE = "distill-tui"
    BINDINGS: ClassVar[list[BindingType]] = bindings("everywhere")
    # Nothing here animates: the line may be slow, and stillness is the look.
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, home: Home, folder: Path | None = None) -> None:
        super().__init__()
        self.animation_level = "none"
        self._home = home
        self._folder = folder

    def on_mount(self) -> None:
        """Register the themes and open where the person left."""
        themes, errors = load_themes()
        for theme in themes:
            self.register_theme(theme)
        if any(theme.name == DEFAULT_THEME for theme in themes):
            self.theme = DEFAULT_THEME
        for error in errors:
            self.notify(clean_text(error.message), title=error.title, severity="warning", markup=False)
        folder = self._folder or last_project(self._home)
        self.push_screen(StartScreen(self._home))
        if folder is not None:
            self.push_screen(WorkspaceScreen(folder, self._home))

    def on_project_chosen(self, message: ProjectChosen) -> None:
        """Open a project over the list of projects."""
        self.push_screen(WorkspaceScreen(message.folder, self._home))

    async def action_quit(self) -> None:
        """Leave; jobs are processes of their own and go on."""
        self.exit(0)

    def action_help(self) -> None:
        """Show every key of the screen that is on."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(*(place for place, _ in self._carriers(self.screen) if place != "everywhere")))

    def action_jump(self) -> None:
        """Go to what a letter names."""

        def go(chosen: Widget | None) -> None:
            if chosen is not None:
                chosen.focus()

        if targets := targets_on(self.screen.focus_chain):
            self.push_screen(JumpScreen(targets), go)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the palette offers."""
        yield from commands(self, self._carriers(screen))
        yield SystemCommand("Theme", "Choose other colours.", self.action_change_theme)

    def _carriers(self, screen: Screen[object]) -> list[tuple[Place, DOMNode]]:
        """Where a key is looked for on this screen, the nearest place first, and who carries the actions there."""
        everywhere: tuple[Place, DOMNode] = ("everywhere", self)
        match screen:
            case StartScreen():
                return [("start", screen), everywhere]
            case CurateScreen():
                return [("curate", screen), everywhere]
            case WorkspaceScreen():
                return [*screen.carriers, everywhere]
            case _:
                return [everywhere]

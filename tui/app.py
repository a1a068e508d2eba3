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
from tui.screens.placed import PlacedScreen, ShowProject
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
        if folder is None:
            self.show_projects()
        else:
            self.show_project(folder)

    def show_project(self, folder: Path) -> None:
        """Show the workspace of a project, in place of what is on."""
        from tui.screens.workspace.screen import WorkspaceScreen

        self._show(WorkspaceScreen(folder, self._home))

    def show_projects(self) -> None:
        """Show the list of projects, in place of what is on."""
        from tui.screens.start.screen import StartScreen

        self._show(StartScreen(self._home))

    def _show(self, screen: Screen[None]) -> None:
        """Only what is looked at is there: a project that is left reads and draws no more."""
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def on_show_project(self, message: ShowProject) -> None:
        """Open a project."""
        self.show_project(message.folder)

    def on_show_projects(self) -> None:
        """Leave a project for the list."""
        self.show_projects()

    async def action_quit(self) -> None:
        """Leave; jobs are processes of their own and go on."""
        self.exit(0)

    def action_help(self) -> None:
        """Show every key of the screen that is on."""
        from tui.screens.help.screen import HelpScreen

        if isinstance(self.screen, PlacedScreen):
            self.push_screen(HelpScreen(*(place for place, _ in self.screen.carriers)))

    def action_jump(self) -> None:
        """Go to what a letter names."""
        from tui.screens.jump.screen import JumpScreen, targets_on

        def go(chosen: Widget | None) -> None:
            if chosen is not None:
                chosen.focus()

        if targets := targets_on(self.screen.focus_chain):
            self.push_screen(JumpScreen(targets), go)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the palette offers."""
        from tui.palette import commands

        carriers: list[tuple[Place, DOMNode]] = screen.carriers if isinstance(screen, PlacedScreen) else []
        yield from commands(self, [*carriers, ("everywhere", self)])
        yield SystemCommand("Theme", "Choose other colours.", self.action_change_theme)

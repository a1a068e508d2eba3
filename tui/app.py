"""The app: settings, themes, the terminal, global keys, the current screen. Knows nothing of what screens show."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.events import DescendantFocus
from textual.filter import DimFilter, LineFilter
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES

from engine.clean import clean_line, clean_text
from engine.errors import DistillError, UsageError
from engine.folders import current_folder
from engine.paths import Home
from tui.actions import Place, bindings
from tui.keymap import over_others, own_keys
from tui.keys import footer_actions, hold
from tui.services.settings import Memory, save_copy
from tui.services.themes import ThemeService, ThemesRead, read_theme
from tui.services.tmux import load_buffer
from tui.settings import Settings
from tui.terminal import notice
from tui.terminal.abilities import Abilities
from tui.terminal.clipboard import copy
from tui.typed import TypedApp
from tui.widgets.colourless import ColourlessFilter
from tui.widgets.glyphs import AsciiFilter
from tui.widgets.guard import CodeFilter
from tui.widgets.placed import Arranged, PlacedScreen, ShowProject
from tui.widgets.shares import DividerMoved
from tui.widgets.toasts import LOW, Toasts, few

if TYPE_CHECKING:
    from tui.services.ended import WorkEnded
    from tui.services.store import FactsRead

# Dim text keeps this share of its colour; the terminal itself dims its own colours.
_DIM = DimFilter(0.58)
_CODELESS, _COLOURLESS, _ASCII = CodeFilter(), ColourlessFilter(), AsciiFilter()


class DistillApp(TypedApp):
    """`distill-tui` in a terminal."""

    TITLE = "distill-tui"
    # The terminal's own colours cannot be blended, so nothing is translucent.
    CSS = f"""{LOW}
    ModalScreen:ansi {{ background: transparent; }}
    Input:focus:ansi {{ background: $background; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("everywhere")

    def __init__(
        self,
        home: Home,
        folder: Path | None = None,
        settings: Settings | None = None,
        abilities: Abilities | None = None,
        errors: Sequence[UsageError] = (),
    ) -> None:
        """`errors`: what is wrong with the settings file."""
        self.settings = settings or Settings()
        self.abilities = abilities or Abilities()
        # Without colours, Textual uses shades of grey, which are colours to a terminal.
        super().__init__(ansi_color=True if self.abilities.colours == "none" else None)
        self.animation_level = "none"  # the connection may be slow, and the design is still
        self._notifications = Toasts()
        self.no_color = self.abilities.colours == "none"
        self._home, self._folder, self._errors = home, folder, errors
        self._memory = Memory(home, partial(self.call_later, self._tell))
        self._themes: ThemeService | None = None
        self._endings = notice.Endings()
        self._ringing = notice.Ringing(self.send)

    def on_mount(self) -> None:
        """Apply the keys and the theme, and open the last project."""
        own, errors = own_keys(self.settings.keys)
        self.set_keymap(own | over_others(own))
        hold(own)
        for error in few((*self._errors, *errors)):
            self._tell(error)
        self._dress()
        self._themes = ThemeService(self._home, self)
        folder = self._folder or current_folder(self._home)
        if folder is None:
            self.show_projects()
        else:
            self.show_project(folder)

    def on_unmount(self) -> None:
        """Restore the terminal's title and stop the services."""
        self._ringing.end()
        if self._themes is not None:
            self._themes.close()
        self._memory.close()

    def show_project(self, folder: Path) -> None:
        """Show the workspace of a project, in place of the current screen."""
        from tui.screens.workspace.screen import WorkspaceScreen

        self._folder, self._endings = folder, notice.Endings()
        self._show(WorkspaceScreen(folder, self._home, self._memory.remembered))

    @property
    def left(self) -> tuple[Path, ...]:
        """The folders of other projects that the user had open, whether or not they still exist."""
        return tuple(folder for folder in map(Path, self._memory.remembered.panes) if folder != self._folder)

    def show_projects(self) -> None:
        """Show the list of projects, in place of the current screen."""
        from tui.screens.start.screen import StartScreen

        self._show(StartScreen(self._home))

    def _show(self, screen: Screen[None]) -> None:
        """Replace the current screen, so that a project that is left no longer reads or draws."""
        while len(self.screen_stack) > 2:  # screens over the project close with it
            self.pop_screen()
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters that each line passes through after it was drawn."""
        dim = () if self.native_ansi_color else (_DIM,)
        wanted = self.settings.ascii
        ascii_only = not self.abilities.unicode if wanted is None else wanted
        # Before Textual's own filter, which removes the colours that ours looks at.
        colourless = (_COLOURLESS,) if self.no_color else ()
        return [_CODELESS, *dim, *colourless, *super().get_line_filters(), *((_ASCII,) if ascii_only else ())]

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a toast. The text may be foreign, so it is cleaned and never parsed as markup."""
        super().notify(clean_text(message), title=clean_line(title), severity=severity, timeout=timeout, markup=False)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy text to the user's own clipboard, and say how. The app's own fields can always paste it."""
        self._clipboard = text
        self._tell_when_done(lambda: copy(self, text))

    def send(self, sequence: str) -> None:
        """Send a sequence to the terminal that draws nothing."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    def tell_tmux(self, text: str) -> bool:
        """Put text into the buffer of the tmux that the program runs in; return whether that worked."""
        return load_buffer(text)

    def save_copy(self, text: str) -> Path:
        """Save text that no clipboard takes to a file. Raises `StoreError`."""
        return save_copy(self._home, text)

    def action_save_copied(self) -> None:
        """Save the last copied text to a file: no terminal reports whether its clipboard took it."""
        self._tell_when_done(lambda: f"Saved to {self.save_copy(clean_text(self.clipboard))}.")

    def on_themes_read(self, message: ThemesRead) -> None:
        """Register the themes, and apply the current one again if its file has changed."""
        for theme in message.themes:
            changed = self.available_themes.get(theme.name) != theme
            self.register_theme(theme)
            if changed and theme.name == self.theme:
                self.mutate_reactive(App.theme)
        for error in message.errors:
            self._tell(error)

    def on_facts_read(self, message: "FactsRead") -> None:
        """Notify a user who is looking elsewhere that a job has ended."""
        for job in self._endings.read(message.facts.jobs, message.facts.ending):
            self._ring(notice.words(message.facts.project, job))

    def on_work_ended(self, message: "WorkEnded") -> None:
        """Do the same for a command that may have taken long, and say how work ended whose screen was left."""
        words = notice.command_words(message.project, message.name, failed=message.error is not None)
        if message.late:
            severity: SeverityLevel = "information" if message.error is None else "error"
            self.notify(str(message.error or message.words), title=words, severity=severity)
        if message.name in notice.LONG_COMMANDS:
            self._ring(words)

    def on_app_focus(self) -> None:
        """Restore the window title: the user is back."""
        self._ringing.end()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Stop the cursor from blinking on a slow connection."""
        if self.settings.slow and hasattr(event.widget, "cursor_blink"):
            event.widget.cursor_blink = False

    def on_arranged(self, message: Arranged) -> None:
        """Remember the layout of the workspace."""
        self._memory.arrange(message.folder, message.pane, message.rail_width, maximised=message.maximised)

    def on_divider_moved(self, message: DividerMoved) -> None:
        """Remember where the divider is."""
        self._memory.share(message.name, message.share)

    def on_show_project(self, message: ShowProject) -> None:
        self.show_project(message.folder)

    def on_show_projects(self) -> None:
        self.show_projects()

    async def action_quit(self) -> None:
        """Quit. Jobs are separate processes and keep running, which a message in the shell says."""
        self.exit(0, message=notice.parting(self._folder, self._endings.at_work))

    def action_help_quit(self) -> None:
        """On ctrl+c, which copies: say which key quits, in a field too."""
        key = next(action.shown for action in footer_actions("words") if action.id == "quit")
        self.notify(f"Press {key} to quit. Running jobs continue.")

    def action_help(self) -> None:
        """Show every key of the current screen."""
        from tui.screens.help.screen import HelpScreen

        if isinstance(self.screen, PlacedScreen):
            self.push_screen(HelpScreen(*(place for place, _ in self.screen.binding_chain)))

    def action_command_palette(self) -> None:
        """Open the command palette."""
        from tui.palette import open_palette

        open_palette(self)

    def action_jump(self) -> None:
        """Open jump mode, which labels targets with letters."""
        from tui.screens.jump.screen import JumpScreen, Target, targets_on

        def go(chosen: Target | None) -> None:
            if chosen is not None:
                chosen.go()

        if targets := targets_on(self.screen):
            self.push_screen(JumpScreen(targets), go)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The commands that the palette offers."""
        from tui.palette import commands

        binding_chain: list[tuple[Place, DOMNode]] = screen.binding_chain if isinstance(screen, PlacedScreen) else []
        yield from commands(self, [*binding_chain, ("everywhere", self)])
        if self.clipboard:
            yield SystemCommand("Save copied text", "Save the last copied text to a file.", self.action_save_copied)
        if not self.no_color:
            yield SystemCommand("Theme", "Choose another colour theme.", self.action_change_theme)

    def _dress(self) -> None:
        """Apply the chosen theme, or the one that suits the terminal. Themes that are not files are not offered."""
        suits = self.abilities.theme
        chosen = suits if self.no_color else self._memory.remembered.theme_over(self.settings) or suits
        for name in dict.fromkeys((chosen, suits)):
            try:
                theme = read_theme(self._home, name)
            except UsageError as error:
                self._tell(error)
                continue
            self.register_theme(theme)
            self.theme = theme.name
            for other in BUILTIN_THEMES:
                if other != theme.name:
                    self.unregister_theme(other)
            self.watch(self, "theme", self._remember_theme, init=False)
            return

    def _remember_theme(self, name: str) -> None:
        self._memory.choose_theme(name, self.settings)

    def _ring(self, text: str) -> None:
        if notice.rings(self.settings.bell, looked_at=self.app_focus):
            self._ringing.ring(text)

    def _tell_when_done(self, work: Callable[[], str]) -> None:
        """Show the text that `work` returns; it may wait for a disk or another program, so it runs on a thread."""
        self._memory.do(work, partial(self.call_later, self.notify))

    def _tell(self, error: DistillError) -> None:
        self.notify(f"{error.message}\n{error.next}".strip(), title=error.title, severity="warning")

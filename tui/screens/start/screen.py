"""The start screen: choose a project, or run the demo. Empty, it says what the program is for."""

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.clean import clean_text
from engine.errors import DistillError
from engine.paths import Home
from tui.actions import Place, bindings, footer_actions
from tui.screens.placed import PlacedScreen, ShowProject
from tui.services.projects import ProjectSummary, all_projects, start_demo
from tui.widgets.footer import Footer
from tui.widgets.lines import ACCENT, DIM, STRONG, fit, moment

WELCOME = (
    "A long system prompt is paid for on every request. Distil it into a local model once:\n"
    "the teacher answers with the prompt, the student learns without it, and every rule is proved.\n\n"
)


class StartScreen(PlacedScreen[None]):
    """The projects of this home."""

    DEFAULT_CSS = """
    StartScreen { background: $background; }
    StartScreen Vertical { padding: 1 2; }
    StartScreen Static { height: auto; }
    StartScreen OptionList { height: auto; max-height: 1fr; border: none; background: $background; padding: 0; }
    """
    place: ClassVar[Place] = "start"
    BINDINGS: ClassVar[list[BindingType]] = bindings("start")

    def __init__(self, home: Home) -> None:
        super().__init__()
        self._home = home
        self._folders: list[Path] = []

    def compose(self) -> ComposeResult:
        """A word of welcome, the projects, the footer."""
        with Vertical():
            yield Static(id="welcome")
            yield OptionList(id="projects", markup=False)
        yield Footer(footer_actions("start"))

    def on_screen_resume(self) -> None:
        """Read the list again whenever this screen comes back."""
        self._read()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open the project under the cursor."""
        self.post_message(ShowProject(self._folders[event.option_index]))

    def action_open(self) -> None:
        """Open the project under the cursor."""
        self.query_one(OptionList).action_select()

    def action_demo(self) -> None:
        """Run the demo and show it."""
        self._start_demo()

    @work(thread=True, exclusive=True, group="projects")
    def _read(self) -> None:
        projects = all_projects(self._home)
        self.app.call_from_thread(self._show, projects)

    @work(thread=True, exclusive=True, group="demo")
    def _start_demo(self) -> None:
        try:
            folder = start_demo(self._home)
        except DistillError as error:
            self.app.call_from_thread(
                self.notify,
                clean_text(f"{error.message}\n{error.next}"),
                title=error.title,
                severity="error",
                markup=False,
            )
            return
        self.post_message(ShowProject(folder))

    def _show(self, projects: tuple[ProjectSummary, ...]) -> None:
        self._folders = [project.folder for project in projects]
        self.query_one("#welcome", Static).update(
            Content.assemble(
                ("distill-tui\n\n", STRONG),
                WELCOME,
                ("projects\n", DIM) if projects else "No project yet. Press ",
                "" if projects else ("d", ACCENT),
                "" if projects else " for the demo, or make one with  ",
                "" if projects else ("distill-tui new NAME", ACCENT),
            )
        )
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(_project_line(project)) for project in projects])
        options.display = bool(projects)
        if projects:
            options.highlighted = 0
            options.focus()


def _project_line(project: ProjectSummary) -> Content:
    running = f"   ● {len(project.jobs)} running" if project.jobs else ""
    return Content.assemble(fit(project.name, 30), (moment(project.changed_at), DIM), (running, ACCENT))

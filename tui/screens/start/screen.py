"""The list of projects: open, create or archive one. Passes keys to the state, and requests to the service."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.widgets import Input

from engine.clean import clean_text
from engine.paths import Home
from tui.actions import Place, bindings
from tui.forms.screen import NOTHING, FormScreen, Values
from tui.keys import footer_actions, key_of
from tui.screens.start.drawing import about, body, header
from tui.screens.start.forms import KEPT, QUICK, delete_form, demo_form, duplicate_form, new_form, wanted
from tui.screens.start.state import StartState
from tui.services.projects import (
    ProjectReady,
    ProjectsChanged,
    ProjectsFailed,
    ProjectsRead,
    ProjectsService,
    ProjectSummary,
    PromptLookedAt,
)
from tui.undoing import NOTHING_LEFT
from tui.widgets.footer import Footer
from tui.widgets.line import Line
from tui.widgets.listing import Listed, Listing
from tui.widgets.page import Page
from tui.widgets.placed import PlacedScreen, ShowProject

READ_EVERY_S = 2.0
_WITHOUT_PROJECTS = ("new", "demo", "help", "quit")


class StartScreen(PlacedScreen[None], Listed):
    """The projects of this home."""

    place: ClassVar[Place] = "start"
    CSS_PATH = "start.tcss"
    AUTO_FOCUS = ""  # keys are actions until the search is opened
    BINDINGS: ClassVar[list[BindingType]] = bindings("start")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - declared by Screen

    def __init__(self, home: Home) -> None:
        super().__init__()
        self.state = StartState()
        self._service = ProjectsService(home, self)
        self._prompts: dict[str, str] = {}  # descriptions of the prompt files named in the form
        self._form: FormScreen | None = None
        self._ask_again: Callable[[Values], None] | None = None

    def compose(self) -> ComposeResult:
        """Counts, search, list, details of the row under the cursor, keys."""
        yield Page(id="header")
        yield Line("part of the name", id="search")
        yield Page(id="listed")
        yield Page(id="about")
        yield Footer(())

    @property
    def choices(self) -> Listing | None:
        """The projects; the list has its own search."""
        return Listing(self.state.at, self._move, open=self.action_open)

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """While a name is typed, only the search's keys apply."""
        search = self.query_one(Line)
        return [(search.place, search)] if search.has_focus else super().binding_chain

    def on_mount(self) -> None:
        """Start reading."""
        self.query_one("#search").display = False
        self._service.read()
        self.set_interval(READ_EVERY_S, self._read_again)
        self._draw()

    def on_unmount(self) -> None:
        """Stop reading."""
        self._service.close()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._draw()

    def on_projects_read(self, message: ProjectsRead) -> None:
        """Store the list."""
        self.state.take(message.projects)
        self._draw()

    def on_projects_changed(self, message: ProjectsChanged) -> None:
        """Report what was done."""
        self.state.busy = ""
        self.notify(message.notice, timeout=4)
        self.state.awaited = message.listed
        self.state.moved = message.moved or self.state.moved
        self._service.read()
        self._draw()

    def on_project_ready(self, message: ProjectReady) -> None:
        """Show the project."""
        if message.notice:
            self.notify(message.notice, timeout=6)
        self.post_message(ShowProject(message.folder))

    def on_projects_failed(self, message: ProjectsFailed) -> None:
        """Report why: in place of the list, in the form, or as a notification."""
        error, self.state.busy = message.error, ""
        if message.field == "list":
            self.state.trouble = str(error)
        elif message.field and self._ask_again is not None and self.is_active:
            self._ask_again({message.field: clean_text(str(error))})
        else:
            self.say_error(error)
        self._draw()

    def on_prompt_looked_at(self, message: PromptLookedAt) -> None:
        """Show the prompt's size if the form is still open."""
        self._prompts[message.path] = message.words + (
            f" Next: {key_of('workspace.prompt')} Prompt, to add rules." if message.readable else ""
        )
        if self._form is not None and self._form.is_mounted:
            self._form.tell()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Filter the list while typing."""
        self.state.look_for(message.value)
        self._draw()

    def on_input_submitted(self) -> None:
        """Return to the filtered list."""
        self.set_focus(None)
        self._draw()

    def on_line_left(self) -> None:
        """Return to the whole list."""
        self.action_back()

    def action_open(self) -> None:
        """Open the project under the cursor."""
        if (project := self.state.chosen) is not None:
            self._service.open(project.folder, sound=not project.trouble)

    def action_new(self) -> None:
        """Ask for a new project, and create it."""
        if not self._is_busy():
            self._ask_new()

    def action_demo(self) -> None:
        """Ask which demo to run, run it and show it."""
        if not self._is_busy():
            self.app.push_screen(demo_form(), self._run_demo)

    def action_duplicate(self) -> None:
        """Ask for the name of a copy, and create it."""
        if (project := self.state.chosen) is not None and not self._is_busy():
            self._ask_duplicate(project)

    def action_archive(self) -> None:
        """Archive the project under the cursor, or restore it."""
        if (project := self.state.chosen) is not None:
            (self._service.restore if project.archived else self._service.archive)(project.folder)

    def action_undo(self) -> None:
        """Undo the last archiving or restoring."""
        moved = self.state.to_undo
        if moved is None:
            self.notify(NOTHING_LEFT, timeout=4)
            return
        (self._service.restore if moved.archived else self._service.archive)(moved.folder, undoes=True)

    def action_archived(self) -> None:
        """Show or hide archived projects."""
        self.state.turn_archived()
        if not self.state.archived:
            self.notify("No archived projects.", timeout=4)
        self._draw()

    def action_delete(self) -> None:
        """Ask for confirmation, and delete the project."""
        project = self.state.chosen
        if project is None or self._is_busy():
            return
        if project.jobs:
            job, stop = project.jobs[0], key_of("workspace.stop")
            self.notify(
                f"Job {job.id} ({job.kind}) is {job.state}. Open the project and stop it with {stop} first.",
                title="Cannot delete a project with an active job.",
                severity="warning",
            )
            return

        def answered(values: dict[str, str] | None) -> None:
            if values is not None:
                self._begin(f"Deleting {project.name} …")
                self._service.delete(project.folder)

        self.app.push_screen(delete_form(project), answered)

    def action_search(self) -> None:
        """Open the search."""
        search = self.query_one("#search", Input)
        search.display = True
        self.set_focus(search)  # at once: the next key is already a letter
        self._draw()

    def action_back(self) -> None:
        """Close the search."""
        search = self.query_one("#search", Input)
        search.value = ""
        search.display = False
        self.set_focus(None)
        self._draw()

    def _run_demo(self, values: Values | None) -> None:
        if values is not None:
            self._begin("Preparing the demo …")
            self._service.open_demo(quick=values["size"] == QUICK)

    def _ask_new(self, values: Values = NOTHING, errors: Values = NOTHING) -> None:
        def answered(given: dict[str, str] | None) -> None:
            self._form = None
            self._prompts.clear()
            if given is not None:
                self._ask_again = lambda wrong: self._ask_new(given, wrong)
                self._begin(f"Creating {given['name']} …")
                self._service.make(wanted(given))

        self._form = new_form(self.state, self._prompt_text, values, errors)
        self.app.push_screen(self._form, answered)

    def _ask_duplicate(self, project: ProjectSummary, values: Values = NOTHING, errors: Values = NOTHING) -> None:
        def answered(given: dict[str, str] | None) -> None:
            if given is not None:
                self._ask_again = lambda wrong: self._ask_duplicate(project, given, wrong)
                self._begin(f"Duplicating {project.name} …")
                self._service.duplicate(project.folder, given["name"], KEPT[given["kept"]])

        self.app.push_screen(duplicate_form(self.state, project, values, errors), answered)

    def _prompt_text(self, path: str) -> str:
        if path not in self._prompts:
            self._prompts[path] = "Reading the prompt …"
            self._service.look_at_prompt(path)
        return self._prompts[path]

    def _is_busy(self) -> bool:
        """Allow one long action at a time, and say which is in progress."""
        if self.state.busy:
            self.notify(self.state.busy, timeout=3)
        return bool(self.state.busy)

    def _begin(self, busy: str) -> None:
        self.state.busy = busy
        self._draw()

    def _move(self, steps: int) -> None:
        self.state.move(steps)
        self._draw()

    def _read_again(self) -> None:
        self._service.read()
        self._draw()  # ages change

    @property
    def _height(self) -> int:
        return max(self.query_one("#listed").content_size.height, 1)

    def _draw(self) -> None:
        state, room = self.state, self.query_one("#listed")
        width = max(room.content_size.width, 40)
        self.query_one("#header", Page).show([header(state, width)])
        self.query_one("#listed", Page).show(body(state, width, self._height, datetime.now(UTC)))
        self.query_one("#about", Page).show(about(state, width - 4, 2))
        unavailable = () if state.search else ("start.back",)
        keys = footer_actions(*(place for place, _ in self.binding_chain), unavailable=unavailable)
        if not state.projects:
            keys = tuple(action for action in keys if action.id in _WITHOUT_PROJECTS)
        elif state.chosen is not None and state.chosen.jobs:
            keys = tuple(dataclasses.replace(a, label="attach") if a.id == "open" else a for a in keys)
        self.query_one(Footer).show(keys)

"""Disk access for the list of projects, on its own threads: reading it, and actions on whole projects.

Every request ends in one message to the screen.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from textual.message import Message
from textual.message_pump import MessagePump

from engine.economics.tokens import estimate_prompt_tokens
from engine.errors import DistillError, NotFoundError, UsageError
from engine.folders import changed_at_s, is_archived, project_folders, remember
from engine.paths import Home, expand, model_name
from engine.project import Project, check_name
from engine.projects import Kept as Kept
from engine.projects import ProjectSummary as ProjectSummary
from engine.projects import archive, delete, duplicate, in_order, look, restore
from engine.records.options import ProjectSettings, TeacherSpec
from engine.records.prompt import Prompt
from engine.teachers.keys import save_key
from engine.texts import read_text
from tui.keys import key_of
from tui.services.failing import failing_to
from tui.services.paths import names_like
from tui.undoing import offer, undone

FIRST_SIGHT_S = 0.2
_Seen = tuple[tuple[float, bool], ProjectSummary]  # a project's time and whether it is archived, and its summary then


@dataclass(frozen=True, slots=True)
class NewProject:
    """What the user entered for a new project."""

    name: str
    settings: ProjectSettings
    prompt_path: str = ""  # empty: set the prompt later
    key: str = field(default="", repr=False)  # of its teacher's endpoint; empty: the configured one


@dataclass
class ProjectsRead(Message):
    """The list was read and has changed."""

    projects: tuple[ProjectSummary, ...]


@dataclass
class ProjectsChanged(Message):
    """Something was done: `notice` reports what. `listed` is new in the list, `moved` was archived or restored."""

    notice: str
    listed: Path | None = None
    moved: Path | None = None


@dataclass
class ProjectReady(Message):
    """A project can be shown; `notice` reports what was just done, if anything."""

    folder: Path
    notice: str = ""


@dataclass
class ProjectsFailed(Message):
    """An action failed; `field` names the form field to correct, if it is a single one."""

    error: DistillError
    field: str = ""


@dataclass
class PromptLookedAt(Message):
    """A prompt file was read: its size in words, or why it cannot be read."""

    path: str
    words: str
    readable: bool


class ProjectsService:
    """The projects of one home. Every method returns at once; answers come as messages to `target`."""

    def __init__(self, home: Home, target: MessagePump) -> None:
        self._home = home
        self._target = target
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="projects")
        self._doer = ThreadPoolExecutor(max_workers=2, thread_name_prefix="actions")  # one may take a while
        self._asked: Future[None] | None = None
        self._seen: dict[Path, _Seen] = {}
        self._listed: tuple[ProjectSummary, ...] | None = None

    def close(self) -> None:
        """Close without waiting; work in progress ends by itself."""
        self._reader.shutdown(wait=False, cancel_futures=True)
        self._doer.shutdown(wait=False, cancel_futures=True)

    def read(self) -> None:
        """Read the list; dropped if another request is still queued."""
        if self._asked is None or self._asked.running() or self._asked.done():
            self._asked = self._reader.submit(self._read)

    def look_at_prompt(self, path: str) -> None:
        """Read a prompt file and report its size; ends in `PromptLookedAt`."""
        self._reader.submit(self._look_at_prompt, path)

    def open(self, folder: Path, *, sound: bool) -> None:
        """Make a project the last used one, if it is `sound`; ends in `ProjectReady`."""

        def work() -> Message:
            if sound:
                remember(folder, self._home)
            return ProjectReady(folder)

        self._carry_out(work)

    def make(self, wanted: NewProject) -> None:
        """Create a project; ends in `ProjectReady`, or in `ProjectsFailed` with the field to correct."""
        self._doer.submit(self._make, wanted)

    def open_demo(self, *, quick: bool) -> None:
        """Create the demo's project if needed, and make sure its job runs; ends in `ProjectReady`."""

        def work() -> Message:
            from engine.demo import ensure_demo_job, open_demo  # not needed for the list

            with open_demo(self._home, quick=quick, fresh=False) as project:
                restore(project.folder)
                ensure_demo_job(project, quick=quick)
                return ProjectReady(project.folder)

        self._carry_out(work)

    def duplicate(self, folder: Path, name: str, kept: Kept) -> None:
        """Copy the project as `name`; ends in `ProjectsChanged`."""

        def work() -> Message:
            with Project.open(folder, self._home) as source:
                made = duplicate(source, name, kept)
            return ProjectsChanged(f"Created {name}.", listed=made)

        self._carry_out(work, field="name")

    def archive(self, folder: Path, *, undoes: bool = False) -> None:
        """Hide the project from the list; ends in `ProjectsChanged`. `undoes`: to undo that it was restored."""

        def work() -> Message:
            archive(folder, self._home)
            return ProjectsChanged(_moved(folder, "Archived", undoes), moved=folder)

        self._carry_out(work)

    def restore(self, folder: Path, *, undoes: bool = False) -> None:
        """Restore an archived project; ends in `ProjectsChanged`. `undoes`: to undo that it was archived."""

        def work() -> Message:
            restore(folder)
            return ProjectsChanged(_moved(folder, "Restored", undoes), listed=folder, moved=folder)

        self._carry_out(work)

    def delete(self, folder: Path) -> None:
        """Delete the project permanently; ends in `ProjectsChanged`."""

        def work() -> Message:
            delete(folder, self._home)
            return ProjectsChanged(f"Deleted {folder.name}.")

        self._carry_out(work)

    def _carry_out(self, work: Callable[[], Message], field: str = "") -> None:
        def whole() -> None:
            with self._failing(lambda: field):
                self._target.post_message(work())

        self._doer.submit(whole)

    def _failing(self, field: Callable[[], str]) -> AbstractContextManager[None]:
        """Report any failure inside, with the form field responsible at that point."""
        return failing_to(lambda error: self._target.post_message(ProjectsFailed(error, field())))

    def _read(self) -> None:
        def fail(error: DistillError) -> None:
            self._listed = None
            self._target.post_message(ProjectsFailed(error, "list"))

        with failing_to(fail):
            self._read_folders(sorted(project_folders(self._home), key=changed_at_s, reverse=True))

    def _read_folders(self, folders: Sequence[Path]) -> None:
        seen: dict[Path, _Seen] = {}
        listed_at = time.monotonic()
        for folder in folders:
            seen[folder] = self._look(folder)
            # The first read of hundreds takes a second: show the last used ones meanwhile.
            if self._listed is None and time.monotonic() - listed_at > FIRST_SIGHT_S:
                self._target.post_message(ProjectsRead(in_order(summary for _, summary in seen.values())))
                listed_at = time.monotonic()
        self._seen = seen
        projects = in_order(summary for _, summary in self._seen.values())
        if projects != self._listed:
            self._listed = projects
            self._target.post_message(ProjectsRead(projects))

    def _look(self, folder: Path) -> _Seen:
        """Few of hundreds of projects change: do not open the others again."""
        stamp = (changed_at_s(folder), is_archived(folder))
        before = self._seen.get(folder)
        if before is None or before[0] != stamp or before[1].jobs or before[1].trouble:
            return stamp, look(folder, self._home)
        return before

    def _look_at_prompt(self, path: str) -> None:
        def fail(error: DistillError) -> None:
            words = f"{error.title} {error.message}"
            if isinstance(error, NotFoundError):
                near = len(names_like(path))  # the path may still be being typed
                words = f"Names there that start like this: {near:,}." if near else error.message
            self._target.post_message(PromptLookedAt(path, words, readable=False))

        with failing_to(fail):
            if expand(path).is_dir():
                self._target.post_message(PromptLookedAt(path, "A folder so far.", readable=False))
                return
            prompt = _read_prompt(path)
            examples = len(prompt.example_turns)
            more = f" and {examples} example messages" if examples else ""
            words = f"The prompt has ≈ {estimate_prompt_tokens(prompt).tokens:,} tokens{more}."
            self._target.post_message(PromptLookedAt(path, words, readable=True))

    def _make(self, wanted: NewProject) -> None:
        field = "prompt"
        with self._failing(lambda: field):
            prompt = _read_prompt(wanted.prompt_path) if wanted.prompt_path else None
            field = "student"
            student, teacher = model_name(wanted.settings.student_base), wanted.settings.teacher
            if teacher.kind == "local":  # the student's base
                teacher = TeacherSpec("local", student)
            elif wanted.key:
                field = "key"
                save_key(teacher.base_url, wanted.key, self._home)
            field = "name"
            settings = replace(wanted.settings, student_base=student, teacher=teacher)
            with Project.create(self._home.projects / wanted.name, settings, self._home) as project:
                if prompt is not None:
                    _set_prompt(project, prompt, wanted.prompt_path)
                remember(project.folder, self._home)
            following = f"Next: {key_of('workspace.prompt')} Prompt"
            notice = f"Created {wanted.name}. {following}{'' if prompt is None else ', to add rules'}."
            self._target.post_message(ProjectReady(project.folder, notice))


def name_trouble(name: str) -> str:
    """Why a project cannot have this name, in a line that fits under a field; empty if it can."""
    try:
        check_name(name)
    except UsageError:
        return "1 to 100 letters, digits, dots, dashes, underscores; no dot first."
    return ""


def _set_prompt(project: Project, prompt: Prompt, path: str) -> None:
    try:
        project.prompts.set(prompt, f"from {Path(path).name}")
    except DistillError:
        with suppress(DistillError):
            project.delete()  # leave nothing half made
        raise


def _read_prompt(path: str) -> Prompt:
    from engine.prompts.documents import parse_prompt  # not needed for the first paint

    return parse_prompt(read_text(path, regular=True), Path(path).name)


def _moved(folder: Path, did: str, undoes: bool) -> str:
    if undoes:
        return undone(f"{'archiving' if did == 'Restored' else 'restoring'} {folder.name}")
    return f"{did} {folder.name}. {offer('start.undo')}"

"""The state of the project list: what was read, the search, and the cursor.

Pure Python, free of Textual and of I/O. Text in here is raw.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tui.services.projects import ProjectSummary
from tui.widgets.rows import within


@dataclass(slots=True)
class StartState:
    """The screen's whole state. The cursor stays on a project, not on a line, as the list changes."""

    projects: tuple[ProjectSummary, ...] | None = None  # None: not read yet
    search: str = ""
    archived_shown: bool = False
    at: int = 0  # the cursor's line
    awaited: Path | None = None  # the cursor moves there as soon as it is listed
    moved: Path | None = None  # what was last archived or restored
    busy: str = ""  # the action in progress, in words
    trouble: str = ""  # why there is no list

    @property
    def rows(self) -> tuple[ProjectSummary, ...]:
        """The listed projects. Running jobs are never hidden, and a search includes archived projects."""
        words = self.search.casefold().split()
        return tuple(
            project
            for project in self.projects or ()
            if all(word in project.name.casefold() for word in words)
            and (self.archived_shown or words or project.jobs or not project.archived)
        )

    @property
    def chosen(self) -> ProjectSummary | None:
        """The project under the cursor."""
        rows = self.rows
        return rows[self.at] if self.at < len(rows) else None

    @property
    def active(self) -> int:
        """Number of projects with a live job."""
        return sum(bool(project.jobs) for project in self.projects or ())

    @property
    def archived(self) -> int:
        """Number of archived projects."""
        return sum(project.archived for project in self.projects or ())

    @property
    def names(self) -> frozenset[str]:
        """All names in use."""
        return frozenset(project.name for project in self.projects or ())

    def take(self, projects: tuple[ProjectSummary, ...]) -> None:
        """Store a new list; the cursor stays on its project."""
        with_cursor = self.chosen
        self.projects, self.trouble = projects, ""
        self._stay_on(with_cursor)
        if any(project.folder == self.awaited for project in self.rows) and self.awaited is not None:
            self.go_to(self.awaited)
            self.awaited = None

    def look_for(self, words: str) -> None:
        """List only names with these words; no words list everything."""
        with_cursor = self.chosen
        self.search = words.strip()
        self._stay_on(with_cursor)

    def turn_archived(self) -> None:
        """List archived projects, or hide them again."""
        with_cursor = self.chosen
        self.archived_shown = not self.archived_shown
        self._stay_on(with_cursor)

    def move(self, steps: int) -> None:
        """Move the cursor within the list."""
        self.at = within(self.at + steps, len(self.rows))

    @property
    def to_undo(self) -> ProjectSummary | None:
        """The current state of what was last archived or restored."""
        return next((project for project in self.projects or () if project.folder == self.moved), None)

    def go_to(self, folder: Path) -> None:
        """Put the cursor on a project, if it is listed."""
        self.at = next((line for line, project in enumerate(self.rows) if project.folder == folder), self.at)

    def free_name(self, name: str) -> str:
        """A free, valid name for a copy of the project `name`."""
        name, number = re.sub(r"[^A-Za-z0-9._-]+|^\.+", "-", name), 2
        while f"{name}-{number}" in self.names:
            number += 1
        return f"{name}-{number}"

    def _stay_on(self, project: ProjectSummary | None) -> None:
        if project is not None:
            self.go_to(project.folder)
        self.move(0)

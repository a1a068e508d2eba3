"""What the release pane knows: the runs to export, the releases, the cursor, the model card being shown.

Pure Python, free of Textual and of I/O.
"""

from dataclasses import dataclass

from engine.errors import DistillError
from engine.records.release import Release
from tui.services.release import Exportable, Released, ReleasePage
from tui.widgets.rows import within


@dataclass(slots=True)
class ReleaseState:
    """The releases as they were read; the progress of a job comes from its view."""

    page: ReleasePage | None = None
    cursor: int = 0  # in the releases, newest first
    card: tuple[Release, str] | None = None  # the release it belongs to, and its text
    failure: DistillError | None = None  # why they could not be read

    @property
    def releases(self) -> tuple[Released, ...]:
        return self.page.releases if self.page is not None else ()

    @property
    def runs(self) -> tuple[Exportable, ...]:
        return self.page.runs if self.page is not None else ()

    @property
    def under_cursor(self) -> Released | None:
        """The release under the cursor."""
        return self.releases[self.cursor] if self.cursor < len(self.releases) else None

    @property
    def acted_on(self) -> Released | None:
        """The release whose card is shown, else the one under the cursor."""
        shown = self.card[0].id if self.card is not None else None
        return next((each for each in self.releases if each.release.id == shown), self.under_cursor)

    def take(self, page: ReleasePage) -> None:
        """Take what was read; move the cursor to a new release."""
        newer = len(page.releases) > len(self.releases)
        self.page, self.failure = page, None
        self.cursor = 0 if newer else within(self.cursor, len(page.releases))

    def move(self, steps: int) -> None:
        """Move through the releases."""
        self.cursor = within(self.cursor + steps, len(self.releases))

    def run(self, run_id: str) -> Exportable | None:
        """The run with this number, given as text from a form."""
        return next((run for run in self.runs if str(run.run_id) == run_id), None)

"""What the dataset pane knows: what would be frozen, what is, and what is in progress.

Pure Python, free of Textual and of I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.errors import DistillError
from engine.records.dataset import FreezePreview, Refusal
from tui.services.dataset import Frozen
from tui.widgets.rows import within

REJECT, ALLOW = "reject them all", "let the student repeat the overlaps"


@dataclass(slots=True)
class DatasetState:
    """A check and a freeze each run once at a time; a check requested meanwhile follows."""

    preview: FreezePreview | None = None
    questions: Mapping[int, str] = field(default_factory=dict)
    history: tuple[Frozen, ...] = ()
    looking: bool = False
    waits: bool = False  # something has changed, and is checked once no more answers arrive
    freezing_since: float | None = None
    note: str = ""  # by the freezing process
    failure: DistillError | None = None  # of a freeze
    check_error: DistillError | None = None  # why the last check failed
    cursor: int = 0  # in the refused answers
    _look_again: bool = False

    @property
    def refused(self) -> tuple[Refusal, ...]:
        return self.preview.refused if self.preview is not None else ()

    @property
    def under_cursor(self) -> Refusal | None:
        """Return the refused example under the cursor."""
        return self.refused[self.cursor] if self.cursor < len(self.refused) else None

    def begin_look(self) -> bool:
        """Return whether a check may start now; else one follows the check in progress."""
        self._look_again, begins = self.looking, not self.looking
        self.looking = True
        return begins

    def end_look(self) -> bool:
        """End a check. Return whether another has to follow."""
        self.looking = False
        return self._look_again

    def take(self, history: tuple[Frozen, ...], preview: FreezePreview | None, questions: Mapping[int, str]) -> None:
        """Take in what was read; the cursor stays within the list."""
        self.history = history
        if preview is not None:
            self.preview, self.questions = preview, questions
            self.cursor = max(0, min(self.cursor, len(preview.refused) - 1))

    def move(self, steps: int) -> None:
        """Move through the refused answers."""
        self.cursor = within(self.cursor + steps, len(self.refused))

    def ways_out(self) -> tuple[str, ...]:
        """Return what can be done about the refused examples: only overlaps may be allowed."""
        return (REJECT, ALLOW) if any(refusal.kind == "overlap" for refusal in self.refused) else (REJECT,)

    def to_reject(self, way_out: str) -> tuple[int, ...]:
        """Return the examples that have to be rejected for this choice."""
        return tuple(r.example_id for r in self.refused if way_out == REJECT or r.kind != "overlap")

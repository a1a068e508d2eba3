"""What the dataset pane knows: what would be frozen, what was, and what is under way.

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
    """A look and a freeze are each one process at a time; a look that is asked for meanwhile follows."""

    preview: FreezePreview | None = None
    questions: Mapping[int, str] = field(default_factory=dict)
    history: tuple[Frozen, ...] = ()
    looking: bool = False
    waits: bool = False  # something has changed, and is looked at once no more answers come
    freezing_since: float | None = None
    said: str = ""  # by the process that freezes
    failure: DistillError | None = None  # of a freeze
    blind: DistillError | None = None  # why nobody could look, the last time
    cursor: int = 0  # in what is refused
    _look_again: bool = False

    @property
    def refused(self) -> tuple[Refusal, ...]:
        return self.preview.refused if self.preview is not None else ()

    @property
    def under_cursor(self) -> Refusal | None:
        """The refused example that is pointed at."""
        return self.refused[self.cursor] if self.cursor < len(self.refused) else None

    def begin_look(self) -> bool:
        """Whether a look may begin now; else one follows that which is under way."""
        self._look_again, begins = self.looking, not self.looking
        self.looking = True
        return begins

    def end_look(self) -> bool:
        """A look ended. Returns whether another has to follow."""
        self.looking = False
        return self._look_again

    def take(self, history: tuple[Frozen, ...], preview: FreezePreview | None, questions: Mapping[int, str]) -> None:
        """Take in what was read; the cursor stays on the list."""
        self.history = history
        if preview is not None:
            self.preview, self.questions = preview, questions
            self.cursor = max(0, min(self.cursor, len(preview.refused) - 1))

    def move(self, steps: int) -> None:
        """Move through what is refused."""
        self.cursor = within(self.cursor + steps, len(self.refused))

    def ways_out(self) -> tuple[str, ...]:
        """What can be done about the refused examples: only words that overlap may be allowed."""
        return (REJECT, ALLOW) if any(refusal.kind == "overlap" for refusal in self.refused) else (REJECT,)

    def to_reject(self, way_out: str) -> tuple[int, ...]:
        """The examples that have to be rejected for this way out."""
        return tuple(r.example_id for r in self.refused if way_out == REJECT or r.kind != "overlap")

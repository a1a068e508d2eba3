"""What the examples pane knows besides the facts: which answer is shown in full.

Pure Python, free of Textual and of I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tui.services.facts import Stream
from tui.widgets.rows import within


@dataclass(slots=True)
class WallState:
    """Which answer is shown in full. The cursor is on an answer, not on a line, because lines change their order."""

    read: str | None = None  # a stream's name; None: the first that is being written, else the newest
    at: int = 0  # its last position

    def place(self, ordered: Sequence[Stream]) -> int:
        """Return the position of the answer shown in full; the first if that one is gone."""
        if self.read is not None:
            for index, stream in enumerate(ordered):
                if stream.name == self.read:
                    self.at = index
                    return index
        self.read, self.at = None, 0
        return 0

    def move(self, ordered: Sequence[Stream], steps: int) -> None:
        """Show another answer, and stay with it."""
        if ordered:
            index = within(self.place(ordered) + steps, len(ordered))
            self.read, self.at = ordered[index].name, index

    def turn(self, ordered: Sequence[Stream]) -> None:
        """Show the next answer being written, wrapping around; if none is, the next of all."""
        writing = [stream for stream in ordered if stream.state == "writing"] or list(ordered)
        if writing:
            index = self.place(ordered) + 1
            self.read = writing[index % len(writing)].name

    def follow(self) -> None:
        """Follow whichever answer is being written."""
        self.read = None

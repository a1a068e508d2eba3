"""What the examples pane knows beside the facts: which answer is read, and in which order they stand.

Pure Python, free of Textual and of I/O.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tui.services.facts import Stream
from tui.widgets.rows import within


@dataclass(slots=True)
class WallState:
    """Which answer is read in full. The cursor stands on an answer, not on a line: lines change their order."""

    read: str | None = None  # a stream's name; None: the first that is being written, else the newest
    at: int = 0  # where it stood last

    def order(self, streams: Iterable[Stream]) -> list[Stream]:
        """Those that are being written as they began, then the others, the newest first."""
        all_streams = list(streams)
        writing = [stream for stream in all_streams if stream.state == "writing"]
        return writing + [stream for stream in reversed(all_streams) if stream.state != "writing"]

    def place(self, ordered: Sequence[Stream]) -> int:
        """The line of the answer that is read. One that is gone gives its place to the first."""
        if self.read is not None:
            for index, stream in enumerate(ordered):
                if stream.name == self.read:
                    self.at = index
                    return index
        self.read, self.at = None, 0
        return 0

    def move(self, ordered: Sequence[Stream], steps: int) -> None:
        """Read another answer, and stay with it."""
        if ordered:
            index = within(self.place(ordered) + steps, len(ordered))
            self.read, self.at = ordered[index].name, index

    def turn(self, ordered: Sequence[Stream]) -> None:
        """Read the next answer that is being written; after the last one the first, or where none is, the next."""
        writing = [stream for stream in ordered if stream.state == "writing"] or list(ordered)
        if writing:
            index = self.place(ordered) + 1
            self.read = writing[index % len(writing)].name

    def follow(self) -> None:
        """Read whatever is being written."""
        self.read = None

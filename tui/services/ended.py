"""The end of work, as a message to the app, which tells a user who is looking elsewhere. Knows no screen."""

from dataclasses import dataclass

from textual.message import Message

from engine.errors import DistillError


@dataclass
class WorkEnded(Message):
    """Work ended: `words` say what it did, or `error` why it failed. `late`: after its screen was left."""

    project: str
    name: str
    late: bool
    words: str = ""
    error: DistillError | None = None

"""What ends after its screen was left: a message to the app, which tells the user. Knows no screen."""

from dataclasses import dataclass

from textual.message import Message

from engine.errors import DistillError


@dataclass
class EndedLate(Message):
    """Work ended whose screen was left. `words` say what it did, or `error` why it failed."""

    project: str
    name: str
    words: str = ""
    error: DistillError | None = None

"""Questions: what a user would send. Knows nothing of where they are imported from."""

from dataclasses import dataclass
from typing import Literal

from engine.records.prompt import Message

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Question:
    """A list of messages that ends with the user's; one message most often. `id` is 0 until stored."""

    messages: tuple[Message, ...]
    topic: str = ""
    source: str = ""  # file name, hub name, "synthesis", "demo"
    label: str | None = None  # the gold label, where the data has one
    split: Split | None = None
    id: int = 0

    @property
    def text(self) -> str:
        """The last user message: what lists show."""
        return self.messages[-1].content if self.messages else ""


@dataclass(frozen=True, slots=True)
class QuestionFilter:
    """Which questions are listed: all, unless a split, a topic or words of the last message are named."""

    split: Split | Literal["unsplit"] | None = None
    topic: str | None = None  # empty: those without one
    search: str = ""

"""Questions: what a user would send. Knows nothing of where they are imported from."""

from dataclasses import dataclass
from typing import Literal

from engine.records.prompt import Message

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Question:
    """A list of messages that ends with a user message; usually just one. `id` is 0 until stored."""

    messages: tuple[Message, ...]
    topic: str = ""
    source: str = ""  # file name, hub name, "synthesis", "demo"
    label: str | None = None  # the gold label, if the data has one
    split: Split | None = None
    id: int = 0

    @property
    def text(self) -> str:
        """The last user message, as shown in lists."""
        return self.messages[-1].content if self.messages else ""

    @property
    def listed(self) -> str:
        """The same after the number of turns, if there is more than one."""
        return f"({len(self.messages)} turns) {self.text}" if len(self.messages) > 1 else self.text


@dataclass(frozen=True, slots=True)
class QuestionFilter:
    """Which questions to list. `search` matches words of the last message, or part of a topic."""

    split: Split | Literal["unsplit"] | None = None
    topic: str | None = None  # empty: questions without a topic
    search: str = ""

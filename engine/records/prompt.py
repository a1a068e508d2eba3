"""Messages and the prompt: the chat prefix that is distilled. Knows nothing of tokens or files."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")
SHORT_PROMPT_TOKENS = 200  # below this, a request saves so little that it depends on prices and traffic


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: Role
    content: str


def as_plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Return the messages as plain JSON values, in the form of the chat completions protocol."""
    return [{"role": message.role, "content": message.content} for message in messages]


def messages_to_json(messages: Sequence[Message]) -> str:
    """Return the canonical JSON of a message list, which is stored and hashed."""
    return json.dumps(as_plain(messages), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A system message and any number of example turns, identified by its SHA-256."""

    messages: tuple[Message, ...]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(messages_to_json(self.messages).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def system(self) -> str:
        """The system message's text, or an empty string."""
        return self.messages[0].content if self.messages and self.messages[0].role == "system" else ""

    @property
    def example_turns(self) -> tuple[Message, ...]:
        """The user and assistant turns after the system message."""
        return tuple(m for m in self.messages if m.role != "system")


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """A stored prompt. Versions count from 1 within a project."""

    version: int
    prompt: Prompt
    note: str
    created_at: str
    current: bool

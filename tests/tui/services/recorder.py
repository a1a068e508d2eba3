"""A target of messages for tests of services without an app."""

from typing import TypeVar

from textual.message import Message

M = TypeVar("M", bound=Message)


class Recorder:
    """A message target that keeps what is posted to it."""

    app = None

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def post_message(self, message: Message) -> bool:
        self.messages.append(message)
        return True

    def of(self, kind: type[M]) -> list[M]:
        return [message for message in self.messages if isinstance(message, kind)]

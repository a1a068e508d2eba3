"""A target of messages for tests of services: an app that does not run."""

import threading
from typing import TypeVar

from textual.app import App
from textual.message import Message

M = TypeVar("M", bound=Message)


class Recorder(App[int]):
    """A message target that keeps what is posted to it."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self.arrived = threading.Condition()

    def post_message(self, message: Message) -> bool:
        with self.arrived:
            self.messages.append(message)
            self.arrived.notify_all()
        return True

    def wait(self, count: int) -> list[Message]:
        """Wait for so many messages; return all."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.messages) >= count, timeout=30)
            return list(self.messages)

    def of(self, kind: type[M]) -> list[M]:
        return [message for message in self.messages if isinstance(message, kind)]

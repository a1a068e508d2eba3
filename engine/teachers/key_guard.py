"""Keeps the key that was sent with a request out of what is told of its answer. Knows no endpoint."""

from engine.teachers.faults import EndpointFault
from engine.teachers.keys import KEYLESS


class KeyGuard:
    """Between one answer as it comes and whoever is told of it."""

    def __init__(self, key: str) -> None:
        self._key = "" if key == KEYLESS else key
        self._held = ""

    def refuse(self, text: str) -> None:
        """Raises `EndpointFault` for a text that holds the key."""
        if self._key and self._key in text:
            raise EndpointFault("refused", "The answer repeats the key that it was asked with.", scope="job")

    def tellable(self, text: str) -> str:
        """What may be told, now that this has come: an end that the key may begin in waits for what follows it."""
        told = self._held + text
        longest = min(max(len(self._key) - 1, 0), len(told))
        held = next((length for length in range(longest, 0, -1) if told.endswith(self._key[:length])), 0)
        self._held = told[len(told) - held :]
        return told[: len(told) - held]

    def rest(self) -> str:
        """What is held at the end of an answer that is no key."""
        return self._held

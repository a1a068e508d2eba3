"""Keeps the key that was sent with a request out of the text shown from its answer. Knows nothing of endpoints."""

from engine.stop_text import StopText
from engine.teachers.faults import EndpointFault
from engine.teachers.keys import KEYLESS


class KeyGuard:
    """Filter between one answer as it streams and whoever is shown it."""

    def __init__(self, key: str) -> None:
        self._key = StopText([key] if key and key != KEYLESS else [])

    def safe_part(self, text: str) -> str:
        """Return what may be shown after this piece; an end that could be the start of the key is held back.

        Raises `EndpointFault` when the key is complete, in however many pieces it came.
        """
        safe = self._key.feed(text)
        if self._key.found:
            raise EndpointFault("refused", "The answer contains the API key of the request.", scope="job")
        return safe

    def rest(self) -> str:
        """Return the text still held back at the end of the answer; it is not the key."""
        return self._key.end()

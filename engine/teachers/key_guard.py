"""Keeps the key that was sent with a request out of the text shown from its answer. Knows nothing of endpoints."""

from engine.teachers.faults import EndpointFault
from engine.teachers.keys import KEYLESS


class KeyGuard:
    """Filter between one answer as it streams and whoever is shown it."""

    def __init__(self, key: str) -> None:
        self._key = "" if key == KEYLESS else key
        self._held = ""

    def refuse(self, text: str) -> None:
        """Raise `EndpointFault` if the text contains the key."""
        if self._key and self._key in text:
            raise EndpointFault("refused", "The answer contains the API key of the request.", scope="job")

    def safe_part(self, text: str) -> str:
        """Return what may be shown after this piece; an end that could be the start of the key is held back."""
        pending = self._held + text
        longest = min(max(len(self._key) - 1, 0), len(pending))
        held = next((length for length in range(longest, 0, -1) if pending.endswith(self._key[:length])), 0)
        self._held = pending[len(pending) - held :]
        return pending[: len(pending) - held]

    def rest(self) -> str:
        """Return the text still held back at the end of the answer; it is not the key."""
        return self._held

"""Which request fields one endpoint accepts: servers and models differ in a few, and name them when they refuse one.

What is learned from a refusal applies to all later requests. Knows nothing of how requests are sent.
"""

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from engine.records.prompt import Message, as_plain

MOST_CHANGES = 3  # per request: the name of the limit field, whether usage is requested, whether a temperature is sent
_LIMIT_FIELDS = ("max_completion_tokens", "max_tokens")


class RequestFormat:
    """Writes requests for one model at one address. `on_note` receives a note about an option it does not support."""

    def __init__(self, base_url: str, model: str, on_note: Callable[[str], None]) -> None:
        self._model = model
        self._on_note = on_note
        self._limit_field = _LIMIT_FIELDS[0 if urlsplit(base_url).hostname == "api.openai.com" else 1]
        self._asks_for_usage = True
        self._takes_temperature = True

    def request(self, messages: Sequence[Message], temperature: float, max_tokens: int) -> dict[str, object]:
        """Return the body of one streaming request."""
        body: dict[str, object] = {
            "model": self._model,
            "messages": as_plain(messages),
            self._limit_field: max_tokens,
            "stream": True,
        }
        if self._takes_temperature:
            body["temperature"] = temperature
        if self._asks_for_usage:
            body["stream_options"] = {"include_usage": True}
        return body

    def learn(self, refusal: str, body: dict[str, object]) -> bool:
        """Return True if the refusal names a field of `body` and the request can be written differently."""
        if "stream_options" in body and ("stream_options" in refusal or "include_usage" in refusal):
            self._asks_for_usage = False
            return True
        for asked, other in (_LIMIT_FIELDS, _LIMIT_FIELDS[::-1]):
            if asked in body and asked in refusal and other in refusal:
                self._limit_field = other
                return True
        # Reasoning models accept none. A temperature that is merely out of range stays an error: it is not replaced.
        if "temperature" in body and "temperature" in refusal and "support" in refusal.casefold():
            if self._takes_temperature:
                self._on_note(f"{self._model} does not accept a temperature; it uses its own.")
            self._takes_temperature = False
            return True
        return False

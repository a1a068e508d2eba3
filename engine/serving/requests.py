"""What a client may ask of the server: the body of a chat completion, checked field by field. No I/O.

A field that would change an answer and is not supported here is refused by name; fields that change nothing, and values
that equal the default, are accepted silently.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from engine.records.prompt import Message, Role

MOST_STOPS = 4
_LARGEST_SEED = 2**63 - 1
_ROLES: dict[object, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_KNOWN = frozenset(
    {
        "model", "messages", "stream", "stream_options", "temperature", "top_p", "max_tokens", "max_completion_tokens",
        "seed", "stop",
        "user", "metadata", "store", "safety_identifier", "prompt_cache_key", "service_tier",  # change no answer
    }
)  # fmt: skip
# Fields that other servers support, with the values at which they have no effect.
_AS_USUAL: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "response_format": ({"type": "text"},),
    "tools": ([],),
    "functions": ([],),
    "modalities": (["text"],),
}


class RequestRefusedError(Exception):
    """A refused request, as an error of the OpenAI protocol."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.kind, self.code, self.param = message, status, kind, code, param
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A valid chat completion request. None: the server's default."""

    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    include_usage: bool = False
    temperature: float | None = None
    top_p: float = 1.0
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


def parse_request(body: bytes) -> ChatRequest:
    """Parse the body of a request. Raises `RequestRefusedError`, which names the field."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestRefusedError(f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise RequestRefusedError("The body is not a JSON object.")
    fields = {name: field for name, field in cast("dict[str, object]", value).items() if field is not None}
    _refuse_unknown(fields)
    stream = _truth(fields, "stream")
    return ChatRequest(
        model=_model(fields),
        messages=_messages(fields.get("messages")),
        stream=stream,
        include_usage=_include_usage(fields, stream),
        temperature=_number(fields, "temperature", 0.0, 2.0),
        top_p=_number(fields, "top_p", 0.0, 1.0, above_low=True) or 1.0,
        max_tokens=_max_tokens(fields),
        seed=_whole(fields, "seed", -_LARGEST_SEED, _LARGEST_SEED),
        stop=_stop(fields.get("stop")),
    )


def _refuse_unknown(fields: Mapping[str, object]) -> None:
    for name, value in fields.items():
        if name in _KNOWN:
            continue
        usual = _AS_USUAL.get(name)
        if usual is None:
            raise RequestRefusedError(
                f"The parameter {name!r} is not supported here.", code="unsupported_parameter", param=name
            )
        if isinstance(value, bool) != isinstance(usual[0], bool) or value not in usual:
            raise RequestRefusedError(
                f"The parameter {name!r} supports only the value {json.dumps(usual[0])}.",
                code="unsupported_value",
                param=name,
            )


def _model(fields: Mapping[str, object]) -> str:
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise RequestRefusedError("The field 'model' must name an arm.", param="model")
    return model


def _messages(value: object) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise RequestRefusedError("The field 'messages' must be a list of at least one message.", param="messages")
    messages = tuple(_message(item, f"messages[{place}]") for place, item in enumerate(value))
    for place, message in enumerate(messages):
        if message.role == "system" and place:
            raise RequestRefusedError(
                "Only the first message may be a system message.", param=f"messages[{place}].role"
            )
    if messages[-1].role != "user":
        raise RequestRefusedError("The last message must have the role 'user'.", param="messages")
    return messages


def _message(value: object, where: str) -> Message:
    if not isinstance(value, dict):
        raise RequestRefusedError(f"{where} must be an object.", param=where)
    role = value.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        known = ", ".join(map(str, _ROLES))
        raise RequestRefusedError(f"{where} has the unknown role {role!r}; use one of {known}.", param=f"{where}.role")
    for name, field in value.items():
        if name not in ("role", "content") and field not in (None, [], ""):
            raise RequestRefusedError(
                f"{where}.{name} is not supported here.", code="unsupported_parameter", param=f"{where}.{name}"
            )
    return Message(_ROLES[role], _content(value.get("content"), f"{where}.content"))


def _content(value: object, where: str) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, list):
        parts = []
        for part in value:
            if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
                raise RequestRefusedError(
                    f"{where} contains a part that is not text.", code="unsupported_value", param=where
                )
            parts.append(str(part["text"]))
        text = "".join(parts)
    else:
        raise RequestRefusedError(f"{where} must be text.", param=where)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RequestRefusedError(f"{where} contains an invalid character (a lone surrogate).", param=where) from error
    return text


def _include_usage(fields: Mapping[str, object], stream: bool) -> bool:
    options = fields.get("stream_options")
    if options is None:
        return False
    if not stream:
        raise RequestRefusedError("'stream_options' is allowed only with 'stream'.", param="stream_options")
    if not isinstance(options, dict):
        raise RequestRefusedError("'stream_options' must be an object.", param="stream_options")
    for name in options:
        if name not in ("include_usage", "include_obfuscation"):  # the latter only pads events
            where = f"stream_options.{name}"
            raise RequestRefusedError(f"{where} is not supported here.", code="unsupported_parameter", param=where)
    return _truth(options, "include_usage")


def _max_tokens(fields: Mapping[str, object]) -> int | None:
    old, new = (_whole(fields, name, 1, 2**31) for name in ("max_tokens", "max_completion_tokens"))
    if old is not None and new is not None and old != new:
        raise RequestRefusedError("'max_tokens' and 'max_completion_tokens' differ.", param="max_completion_tokens")
    return new if new is not None else old


def _stop(value: object) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(stops, list) or len(stops) > MOST_STOPS or not all(isinstance(s, str) and s for s in stops):
        raise RequestRefusedError(
            f"'stop' must be a text or a list of at most {MOST_STOPS} texts, none empty.", param="stop"
        )
    return tuple(cast("list[str]", stops))


def _truth(fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise RequestRefusedError(f"{name!r} must be true or false.", param=name)
    return bool(value)


def _whole(fields: Mapping[str, object], name: str, low: int, high: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RequestRefusedError(f"{name!r} must be a whole number from {low} to {high}.", param=name)
    return value


def _number(
    fields: Mapping[str, object], name: str, low: float, high: float, *, above_low: bool = False
) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise RequestRefusedError(f"{name!r} must be a number from {low:g} to {high:g}.", param=name)
    if above_low and value == low:
        raise RequestRefusedError(f"{name!r} must be above {low:g}.", param=name)
    return float(value)

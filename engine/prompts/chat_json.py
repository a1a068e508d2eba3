"""One message of OpenAI chat JSON, reduced to text. Shared by prompts and imported questions.

Knows nothing of files or positions: the caller adds those to errors.
"""

from collections.abc import Mapping
from typing import cast

from engine.records.prompt import ROLES, Message, Role

_TOOL_FIELDS = ("tool_calls", "function_call", "tool_call_id")
SHOWN = 60  # characters of an invalid value that an error quotes


class ChatProblemError(ValueError):
    """A message has content that cannot be distilled; the text says what, in a few words."""


def read_message(value: object) -> Message:
    """Return the message as text, with `\\n` line ends and no surrounding white space. `developer` becomes `system`.

    Content may be a string or a list of text parts. Raises ChatProblemError for tool calls, images and other parts
    that are not text, unknown roles, and empty or broken text. Other fields are left to the caller.
    """
    if not isinstance(value, Mapping):
        raise ChatProblemError("it is not a mapping with `role` and `content`")
    role = value.get("role")
    tools = next((field for field in _TOOL_FIELDS if value.get(field)), None)
    if role in ("tool", "function") or tools:
        raise ChatProblemError(f"tool calls are not supported ({tools or f'role {role}'})")
    if role == "developer":
        role = "system"
    if role not in ROLES:
        raise ChatProblemError(f"unknown role {repr(role)[:SHOWN]}; allowed: {', '.join(ROLES)}")
    text = clean_content(_read_content(value.get("content")))
    if not text:
        raise ChatProblemError("its content is empty")
    return Message(cast(Role, role), text)


def clean_content(text: str) -> str:
    """Return the text with `\\n` line ends and no surrounding white space.

    Raises ChatProblemError for half a surrogate pair, and for NUL, which no text file holds.
    """
    if "\0" in text:
        raise ChatProblemError("it contains a NUL character")
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ChatProblemError(f"character {error.start + 1} is half a surrogate pair") from error
    return text


def _read_content(content: object) -> str:
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if not isinstance(content, list):
        raise ChatProblemError("its content is neither text nor a list of parts")
    texts: list[str] = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        text = part.get("text") if isinstance(part, Mapping) else None
        if kind not in ("text", "input_text", "output_text") or not isinstance(text, str):
            named = (
                "images are"
                if kind in ("image", "image_url", "input_image")
                else f"parts of type {repr(kind)[:SHOWN]} are"
            )
            raise ChatProblemError(f"{named} not supported")
        texts.append(text)
    return "\n".join(texts)

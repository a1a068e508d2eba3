"""Prompts as files: Markdown, YAML or OpenAI chat JSON, detected by content, then by file name.

Markdown: the text is the system message; `## User` and `## Assistant`, alone on a line, start example turns. In a
message, a line that looks like such a heading is escaped with a backslash. YAML: a list under `messages:`.
JSON: a list of messages, or an object with `messages`. White space around a message is removed.
Knows nothing of the store or of tokens.
"""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Literal, cast

import yaml

from engine.errors import UsageError
from engine.prompts.chat_json import SHOWN, ChatProblemError, clean_content, read_message
from engine.records.prompt import Message, Prompt, Role
from engine.strict_yaml import read_yaml

MAX_DOCUMENT_BYTES = 2_000_000
MAX_MESSAGES = 500

_MARK = "\ufeff"  # byte order mark; not part of the text
_HEADING = re.compile(r"## (system|user|assistant)[ \t]*", re.IGNORECASE)
_ESCAPED_HEADING = re.compile(r"\\+## (?:system|user|assistant)[ \t]*", re.IGNORECASE)
# `messages:` with a list, with nothing but comments before it; a Markdown heading is not a comment.
_COMMENTS = r"(?:[ \t]*(?!## system)(?:#.*)?\n|---[ \t]*\n)*"
_YAML = re.compile(_COMMENTS + r"messages:[ \t]*(?:\[|(?:#.*)?\n+[ \t]*-(?:\s|$))", re.IGNORECASE)
_NEXT = "A prompt is a system message, then example turns: user, assistant, user, assistant."


def parse_prompt(text: str, source: str = "") -> Prompt:
    """Return the prompt in a document; `source` is its file name.

    Raises UsageError with the message's position for tool calls, images, unknown roles, a system message that is not
    the first, turns that do not alternate, and a last turn that is not the assistant's.
    """
    where = f" from {source}" if source else ""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_DOCUMENT_BYTES:
        raise _problem(where, f"It is larger than {MAX_DOCUMENT_BYTES} bytes.")
    text = text.removeprefix(_MARK).replace("\r\n", "\n").replace("\r", "\n")
    form = _format_of(text)
    if form == "markdown" and source.lower().endswith((".json", ".yaml", ".yml")):
        form = "json" if source.lower().endswith(".json") else "yaml"  # a file of rules, for example, is no prompt
    messages = {"json": _read_json, "yaml": _read_yaml, "markdown": _read_markdown}[form](text, where)
    if not messages:
        raise _problem(where, "It contains no messages.")
    if len(messages) > MAX_MESSAGES:
        raise _problem(where, f"It has {len(messages)} messages; at most {MAX_MESSAGES} are allowed.")
    _check_turns(messages, where)
    return Prompt(tuple(messages))


def prompt_to_markdown(prompt: Prompt) -> str:
    """Return a document that `parse_prompt` reads back as the same prompt; it ends with a line end."""
    system = _escape(prompt.system)
    blocks = [system] if system else []
    if _needs_heading(system):
        blocks.insert(0, "## System")
    for message in prompt.example_turns:
        blocks += [f"## {message.role.capitalize()}", _escape(message.content)]
    return "\n\n".join(blocks) + "\n"


def first_lines(prompt: Prompt) -> tuple[int, ...]:
    """Return the line, from 1, at which each message's text starts in `prompt_to_markdown`."""
    system = prompt.system
    line = 3 if _needs_heading(system) else 1
    found: list[int] = []
    for message in prompt.messages:
        line += 2 if message.role != "system" else 0  # its heading and a blank line
        found.append(line)
        line += message.content.count("\n") + 2
    return tuple(found)


def diff_prompts(before: Prompt, after: Prompt) -> str:
    """Return a unified diff of the two prompts' Markdown; empty if they are the same."""
    lines = difflib.unified_diff(
        prompt_to_markdown(before).removesuffix("\n").split("\n"),
        prompt_to_markdown(after).removesuffix("\n").split("\n"),
        "before",
        "after",
        lineterm="",
    )
    return "\n".join(lines)


def _needs_heading(system: str) -> bool:
    """Whether the system message, at the very start of a document, would be read as something else."""
    return bool(system) and (system[0] == _MARK or _format_of(system) != "markdown")


def _format_of(text: str) -> Literal["json", "yaml", "markdown"]:
    if text.lstrip()[:1] in ("[", "{"):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            # Broken JSON is an error; text that merely starts with a bracket is Markdown.
            return "json" if '"role"' in text or '"messages"' in text else "markdown"
        return "json"
    return "yaml" if _YAML.match(text) else "markdown"


def _read_json(text: str, where: str) -> list[Message]:
    try:
        document: object = json.loads(text, object_pairs_hook=_named_once)
    except json.JSONDecodeError as error:
        raise _problem(where, f"Invalid JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except (ValueError, RecursionError) as error:
        raise _problem(where, f"Invalid JSON: {error}.") from error
    return _read_messages(document, where)


def _named_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{repr(twice)[:SHOWN]} appears twice")
    return found


def _read_yaml(text: str, where: str) -> list[Message]:
    try:
        document = read_yaml(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise _problem(where, f"Invalid YAML{place}: {error.problem}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _problem(where, f"Invalid YAML: {error}.") from error
    return _read_messages(document, where)


def _read_messages(document: object, where: str) -> list[Message]:
    if isinstance(document, dict):
        if document.get("tools") or document.get("functions"):
            raise _problem(where, "It declares tools; tool calls are not supported.")
        document = document.get("messages")
    if not isinstance(document, list):
        raise _problem(where, "It needs a list of messages, or an object with `messages`.")
    return [_read_one(entry, position, where) for position, entry in enumerate(document, 1)]


def _read_one(entry: object, position: int, where: str) -> Message:
    try:
        message = read_message(entry)
    except ChatProblemError as error:
        raise _problem(where, f"Message {position}: {error}.") from error
    extra = [str(key) for key, value in cast("Mapping[object, object]", entry).items() if value]
    unknown = [key for key in extra if key not in ("role", "content")]
    if unknown:
        raise _problem(where, f"Message {position}: unknown field {', '.join(unknown)}; allowed: role, content.")
    return message


def _read_markdown(text: str, where: str) -> list[Message]:
    blocks: list[tuple[Role, list[str]]] = [("system", [])]
    for line in text.split("\n"):
        heading = _HEADING.fullmatch(line)
        if heading:
            blocks.append((cast(Role, heading.group(1).lower()), []))
        else:
            blocks[-1][1].append(line[1:] if _ESCAPED_HEADING.fullmatch(line) else line)
    if not "".join(blocks[0][1]).strip():
        del blocks[0]  # nothing before the first heading
    messages: list[Message] = []
    for position, (role, lines) in enumerate(blocks, 1):
        try:
            content = clean_content("\n".join(lines))
        except ChatProblemError as error:
            raise _problem(where, f"Message {position}: {error}.") from error
        if not content:
            raise _problem(where, f"Message {position}: there is no text under «## {role.capitalize()}».")
        messages.append(Message(role, content))
    return messages


def _escape(text: str) -> str:
    return "\n".join(
        f"\\{line}" if _HEADING.fullmatch(line) or _ESCAPED_HEADING.fullmatch(line) else line
        for line in text.split("\n")
    )


def _check_turns(messages: Sequence[Message], where: str) -> None:
    for position, message in enumerate(messages, 1):
        if message.role == "system" and position > 1:
            raise _problem(where, f"Message {position}: a system message must come first.")
    turns = [(position, m) for position, m in enumerate(messages, 1) if m.role != "system"]
    for number, (position, message) in enumerate(turns):
        expected = ("user", "assistant")[number % 2]
        if message.role != expected:
            raise _problem(where, f"Message {position}: the role is {message.role}, expected {expected}.")
    if len(turns) % 2:
        raise _problem(where, f"Message {len(messages)}: the last example turn has no answer from the assistant.")


def _problem(where: str, message: str) -> UsageError:
    return UsageError(f"The prompt cannot be read{where}", message, _NEXT)

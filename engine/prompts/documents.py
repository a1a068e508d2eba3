"""Prompts as files: Markdown, YAML or OpenAI chat JSON, detected by content, then by file name.

Markdown: the text is the system message; `## User` and `## Assistant`, alone on a line, start example turns. In a
message, a line that looks like such a heading is escaped with a backslash. YAML: a list under `messages:`.
JSON: a list of messages, or an object with `messages`. White space around a message is removed.
Knows nothing of the store or of tokens.
"""

import difflib
import json
import re
from collections.abc import Mapping
from typing import Literal, cast

import yaml

from engine.errors import UsageError
from engine.prompts.chat_json import SHOWN, ChatProblemError, clean_content, read_message
from engine.records.prompt import Message, Prompt, Role
from engine.strict_yaml import read_yaml
from engine.wording import json_fault

MAX_DOCUMENT_BYTES = 2_000_000
MAX_MESSAGES = 500

_MARK = "\ufeff"  # byte order mark; not part of the text
_HEADING = re.compile(r"## (system|user|assistant)[ \t]*", re.IGNORECASE)
_ESCAPED_HEADING = re.compile(r"\\+## (?:system|user|assistant)[ \t]*", re.IGNORECASE)
# `messages:` with a list, with nothing but comments before it; a Markdown heading is not a comment.
_COMMENTS = r"(?:[ \t]*(?!## (?:system|user|assistant))(?:#.*)?\n|---[ \t]*\n)*"
_YAML = re.compile(_COMMENTS + r"messages:[ \t]*(?:\[|(?:#.*)?\n+[ \t]*-(?:\s|$))", re.IGNORECASE)
_NEXT = "A prompt is a system message, then example turns: user, assistant, user, assistant."
_NEXT_HEADING = (
    "Write each example turn as ## User, then ## Assistant. To keep such a heading as text, put a backslash before it: "
    r"\## User"
)
_TABLES = (".csv", ".tsv", ".parquet")
_JSON_NAMES = (".json", ".jsonl", ".ndjson")

_Placed = list[tuple[str, Message]]  # each message with its place in the document, for errors


def parse_prompt(text: str, source: str = "") -> Prompt:
    """Return the prompt in a document; `source` is its file name.

    Raises UsageError for a file of questions, and with the place of the message for tool calls, images, unknown roles,
    a system message that is not the first, turns that do not alternate, and a last turn that is not the assistant's.
    """
    refuse_table(source)
    where = _where(source)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_DOCUMENT_BYTES:
        raise _problem(where, f"It is larger than {MAX_DOCUMENT_BYTES} bytes.")
    text = _normalised(text)
    if _is_json_lines(text):
        raise _questions(source, "It has one JSON object per line, as questions do; a prompt is a single document.")
    form = _format_of(text)
    if form == "markdown" and source.lower().endswith((*_JSON_NAMES, ".yaml", ".yml")):
        form = "json" if source.lower().endswith(_JSON_NAMES) else "yaml"  # a file of rules, for example, is no prompt
    placed = {"json": _read_json, "yaml": _read_yaml, "markdown": _read_markdown}[form](text, where)
    if not placed:
        raise _problem(where, "It contains no messages.")
    if len(placed) > MAX_MESSAGES:
        raise _problem(where, f"It has {len(placed)} messages; at most {MAX_MESSAGES} are allowed.")
    _check_turns(placed, where, _NEXT_HEADING if form == "markdown" else _NEXT)
    return Prompt(tuple(message for _, message in placed))


def refuse_table(source: str) -> None:
    """Raise UsageError if a file's name says that it is a table, such as questions: any text could be a prompt."""
    suffix = next((suffix for suffix in _TABLES if source.lower().endswith(suffix)), "")
    if suffix:
        raise _questions(source, f"{suffix} is a format for questions, not for a prompt.")


def turn_headings(text: str) -> tuple[tuple[int, str], ...]:
    """Return the line, from 1, and the text of each heading that starts an example turn in a Markdown document."""
    text = _normalised(text)
    if _format_of(text) != "markdown":
        return ()
    found = ((number, _HEADING.fullmatch(line)) for number, line in enumerate(text.split("\n"), 1))
    return tuple((number, line.group().rstrip()) for number, line in found if line and line[1].lower() != "system")


def prompt_to_markdown(prompt: Prompt) -> str:
    """Return a document that `parse_prompt` reads back as the same prompt; it ends with a line end."""
    return "## System\n\n" * _needs_heading(prompt) + _without_heading(prompt)


def _without_heading(prompt: Prompt) -> str:
    blocks = [_escape(prompt.system)] if prompt.system else []
    for message in prompt.example_turns:
        blocks += [f"## {message.role.capitalize()}", _escape(message.content)]
    return "\n\n".join(blocks) + "\n"


def first_lines(prompt: Prompt) -> tuple[int, ...]:
    """Return the line, from 1, at which each message's text starts in `prompt_to_markdown`."""
    line = 3 if _needs_heading(prompt) else 1
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


def _normalised(text: str) -> str:
    return text.removeprefix(_MARK).replace("\r\n", "\n").replace("\r", "\n")


def _is_json_lines(text: str) -> bool:
    """Whether the first two lines are JSON objects, which no single JSON document has."""
    if not text.lstrip().startswith("{"):
        return False
    rows = [line for line in text.split("\n") if line.strip()][:2]
    try:
        return len(rows) == 2 and all(isinstance(json.loads(row), dict) for row in rows)
    except (ValueError, RecursionError):
        return False


def _needs_heading(prompt: Prompt) -> bool:
    """Whether a document that starts with the system message would be read as something else."""
    document = _without_heading(prompt)
    misread = document.startswith(_MARK) or _is_json_lines(document) or _format_of(document) != "markdown"
    return bool(prompt.system) and misread


def _format_of(text: str) -> Literal["json", "yaml", "markdown"]:
    if text.lstrip()[:1] in ("[", "{"):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            # Broken JSON is an error; text that merely starts with a bracket is Markdown.
            return "json" if '"role"' in text or '"messages"' in text else "markdown"
        return "json"
    return "yaml" if _YAML.match(text) else "markdown"


def _read_json(text: str, where: str) -> _Placed:
    try:
        document: object = json.loads(text, object_pairs_hook=_named_once)
    except json.JSONDecodeError as error:
        raise _problem(
            where, f"Invalid JSON: {json_fault(error)} at line {error.lineno}, column {error.colno}."
        ) from error
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


def _read_yaml(text: str, where: str) -> _Placed:
    try:
        document = read_yaml(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise _problem(where, f"Invalid YAML{place}: {error.problem}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _problem(where, f"Invalid YAML: {error}.") from error
    return _read_messages(document, where)


def _read_messages(document: object, where: str) -> _Placed:
    if isinstance(document, dict):
        if document.get("tools") or document.get("functions"):
            raise _problem(where, "It declares tools; tool calls are not supported.")
        document = document.get("messages")
    if not isinstance(document, list):
        raise _problem(where, "It needs a list of messages, or an object with `messages`.")
    return [_read_one(entry, f"Message {position}", where) for position, entry in enumerate(document, 1)]


def _read_one(entry: object, place: str, where: str) -> tuple[str, Message]:
    try:
        message = read_message(entry)
    except ChatProblemError as error:
        raise _problem(where, f"{place}: {error}.") from error
    extra = [str(key) for key, value in cast("Mapping[object, object]", entry).items() if value]
    unknown = [key for key in extra if key not in ("role", "content")]
    if unknown:
        raise _problem(where, f"{place}: unknown field {', '.join(unknown)}; allowed: role, content.")
    return place, message


def _read_markdown(text: str, where: str) -> _Placed:
    blocks: list[tuple[str, Role, list[str]]] = [("Message 1", "system", [])]
    for number, line in enumerate(text.split("\n"), 1):
        heading = _HEADING.fullmatch(line)
        if heading:
            blocks.append((f"Line {number}, “{line.rstrip()}”", cast(Role, heading.group(1).lower()), []))
        else:
            blocks[-1][2].append(line[1:] if _ESCAPED_HEADING.fullmatch(line) else line)
    if not "".join(blocks[0][2]).strip():
        del blocks[0]  # nothing before the first heading
    placed: _Placed = []
    for place, role, lines in blocks:
        try:
            content = clean_content("\n".join(lines))
        except ChatProblemError as error:
            raise _problem(where, f"{place}: {error}.") from error
        if not content:
            raise _problem(where, f"{place}: there is no text under this heading.", _NEXT_HEADING)
        placed.append((place, Message(role, content)))
    return placed


def _escape(text: str) -> str:
    return "\n".join(
        f"\\{line}" if _HEADING.fullmatch(line) or _ESCAPED_HEADING.fullmatch(line) else line
        for line in text.split("\n")
    )


def _check_turns(placed: _Placed, where: str, advice: str) -> None:
    for place, message in placed[1:]:
        if message.role == "system":
            raise _problem(where, f"{place}: a system message must come first.", advice)
    turns = [(place, message) for place, message in placed if message.role != "system"]
    for number, (place, message) in enumerate(turns):
        expected = ("user", "assistant")[number % 2]
        if message.role != expected:
            raise _problem(where, f"{place}: the role is {message.role}, expected {expected}.", advice)
    if len(turns) % 2:
        raise _problem(where, f"{turns[-1][0]}: the last example turn has no answer from the assistant.", advice)


def _where(source: str) -> str:
    return f" from {source}" if source else ""


def _problem(where: str, message: str, advice: str = _NEXT) -> UsageError:
    return UsageError(f"The prompt cannot be read{where}", message, advice)


def _questions(source: str, message: str) -> UsageError:
    return _problem(_where(source), message, f"Import it as questions: distill-tui questions import {source or 'FILE'}")

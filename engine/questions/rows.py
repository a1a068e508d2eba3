"""Converts one row of a table or one JSON object into a question. Knows nothing of files.

A question is a text, or a list of chat messages that ends with a user message. From stored chats, system messages are
dropped (the project's prompt takes their place), and so is the last answer, because the teacher will answer again.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.errors import UsageError
from engine.prompts.chat_json import ChatProblemError, clean_content, read_message
from engine.records.prompt import Message
from engine.records.question import SPLITS, Question, Split
from engine.wording import kind_of_value

MAX_QUESTION_CHARACTERS = 1_000_000
MAX_MESSAGES = 500
MAX_DEPTH = 64

CHAT_COLUMNS = ("messages", "input", "prompt")
TEXT_COLUMNS = ("question", "text", "prompt", "query", "utterance")
TOPIC_COLUMNS = ("topic", "category", "intent")
LABEL_COLUMNS = ("label", "gold")
SPLIT_COLUMN = "split"

# The split of imported questions: as in their column `split`, drawn later for all, or one for all.
Placing = Split | Literal["file", "later"]
PLACINGS: tuple[Placing, ...] = ("file", "later", *SPLITS)
_SPLITS_BY_NAME: dict[str, Split] = {name: name for name in SPLITS} | {
    "training": "train", "valid": "validation", "val": "validation", "dev": "validation", "testing": "test",
}  # fmt: skip


class RefusedError(ValueError):
    """The reason why a row is not a question, in a few words."""


class NoQuestionColumnError(UsageError):
    """No column looks like the question. A caller that knows how a column is named may set `next` to that."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns to read. None: guess from common names. The split is read only if it is to be as in the file."""

    text: str | None = None
    topic: str | None = None
    label: str | None = None
    split: Placing = "file"

    def wanted(self, available: Iterable[str]) -> list[str]:
        """Return the columns to read from a table.

        Raises UsageError if a named column is missing, or if no column looks like the question.
        """
        present = list(available)
        listed = ", ".join(repr(name) for name in present) or "none"
        for name in (self.text, self.topic, self.label):
            if name is not None and name not in present:
                raise UsageError(f"There is no column {name!r}", f"Columns: {listed}.", "Choose one of these.")
        texts = [self.text] if self.text else [name for name in (*CHAT_COLUMNS, *TEXT_COLUMNS) if name in present]
        if not texts:
            raise NoQuestionColumnError(
                "No column looks like the question", f"Columns: {listed}.", "Specify the question column."
            )
        topics = [self.topic] if self.topic else [name for name in TOPIC_COLUMNS if name in present]
        labels = [self.label] if self.label else [name for name in LABEL_COLUMNS if name in present]
        extra = [name for name in ("tools", "functions") if name in present]
        splits = [SPLIT_COLUMN] if self.split == "file" and SPLIT_COLUMN in present else []
        return list(dict.fromkeys([*texts, *topics, *labels, *splits, *extra]))


@dataclass(slots=True)
class RowReader:
    """Reads rows into questions, and counts the messages that it drops."""

    columns: Columns
    source: str
    dropped_system: int = 0
    dropped_answers: int = 0

    def read(self, row: object) -> Question:
        """Return the row's question.

        Raises RefusedError: no question in it, tool calls, images, unknown roles, too long, nested too deeply, an
        unknown split.
        """
        if not isinstance(row, Mapping):
            raise RefusedError("it is not an object with named fields")
        if _too_deep(row):
            raise RefusedError(f"nested deeper than {MAX_DEPTH}")
        if row.get("tools") or row.get("functions"):
            raise RefusedError("it declares tools; tool calls are not supported")
        value = row.get(self.columns.text) if self.columns.text else _guess(row)
        messages = self._read_chat(value) if isinstance(value, list) else (Message("user", _read_text(value)),)
        if sum(len(message.content) for message in messages) > MAX_QUESTION_CHARACTERS:
            raise RefusedError(f"longer than {MAX_QUESTION_CHARACTERS} characters")
        return Question(
            messages,
            topic=_named(row, self.columns.topic, TOPIC_COLUMNS) or "",
            source=self.source,
            label=_named(row, self.columns.label, LABEL_COLUMNS),
            split=self._split_of(row),
        )

    def _split_of(self, row: Mapping[str, object]) -> Split | None:
        if self.columns.split == "later":
            return None
        if self.columns.split != "file":
            return self.columns.split
        word = _named(row, SPLIT_COLUMN, ())
        if word is not None and split_named(word) is None:
            raise RefusedError(f"its split is {word!r}, not one of {', '.join(SPLITS)}")
        return None if word is None else split_named(word)

    def _read_chat(self, entries: list[object]) -> tuple[Message, ...]:
        if len(entries) > MAX_MESSAGES:
            raise RefusedError(f"more than {MAX_MESSAGES} messages")
        messages: list[Message] = []
        for position, entry in enumerate(entries, 1):
            try:
                messages.append(read_message(entry))
            except ChatProblemError as error:
                raise RefusedError(f"message {position}: {error}") from error
        turns = [message for message in messages if message.role != "system"]
        answered = bool(turns) and turns[-1].role == "assistant"
        if answered:
            del turns[-1]
        if not turns:
            raise RefusedError("no user message")
        for position, turn in enumerate(turns):
            if turn.role != ("user", "assistant")[position % 2]:
                raise RefusedError("user and assistant messages do not alternate, starting with the user")
        if turns[-1].role != "user":
            raise RefusedError("it does not end with a user message")
        self.dropped_system += len(messages) - len(turns) - answered
        self.dropped_answers += answered
        return tuple(turns)


def split_named(word: str) -> Split | None:
    """Return the split that data sets call by this name; None if there is none."""
    return _SPLITS_BY_NAME.get(word.casefold())


def _guess(row: Mapping[str, object]) -> object:
    chats = (row[name] for name in CHAT_COLUMNS if isinstance(row.get(name), list))
    return next(chats, None) or next((row[name] for name in TEXT_COLUMNS if row.get(name)), None)


def _read_text(value: object) -> str:
    if value is None:
        raise RefusedError("no question in it")
    if not isinstance(value, str):
        raise RefusedError(f"the question is {kind_of_value(value)}, not text")
    try:
        text = clean_content(value)
    except ChatProblemError as error:
        raise RefusedError(str(error)) from error
    if not text:
        raise RefusedError("no question in it")
    return text


def _named(row: Mapping[str, object], column: str | None, guesses: Sequence[str]) -> str | None:
    name = column or next((guess for guess in guesses if row.get(guess) is not None), None)
    value = row.get(name) if name is not None else None
    if isinstance(value, float):  # pandas turns integers with gaps into floats
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    if value is None or value == "":
        return None
    if not isinstance(value, str | int):
        raise RefusedError(f"{name} is {kind_of_value(value)}, not text")
    return str(value).strip() or None


def _too_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            part
            for item in level
            if isinstance(item, Mapping | list)
            for part in (item.values() if isinstance(item, Mapping) else item)
            if isinstance(part, Mapping | list)
        ]
        if not level:
            return False
    return True

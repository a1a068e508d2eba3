"""The rows and prompts that all sides read: the demo's questions, answers in its form, prompts of given lengths.

Made once with the starter's tokenizer, without a model; read from JSON with only the standard library.
"""

import json
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.records.prompt import Prompt

_DEMO = Path(__file__).parents[3] / "engine" / "bundled" / "demo"
_SYSTEM = (
    "You are the support desk of Meridian, a small bank. Every question belongs to one desk: card, loan, savings, "
    "transfer or insurance."
)
_INSTRUCTIONS = (
    "Name the desk first, say in one sentence what to do next, promise nothing that the bank cannot keep, use no word "
    "that a child would not know, and end with the name of the bank."
)
# Of different lengths, like real answers.
_ANSWERS = (
    "Regarding your {}: please open the {} menu in the app. — Meridian",
    "Regarding your {}: please call the desk, and have the letter about your {} ready. — Meridian",
    "Regarding your {}: please look it up on the {} page, where the fees and the limits stand. — Meridian",
    (
        "Regarding your {}: please fill in the {} form online, sign it, send us all of it and tell us in a few words "
        "what has happened since. — Meridian"
    ),
)
TRAINING_ROWS = 160  # questions to train on; the others are held out, or turns of the prompts


@dataclass(frozen=True, slots=True)
class Row:
    """A question and its answer, as ids: the prompt-free text up to the answer, and the answer with its stop token."""

    number: int
    question: str
    question_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]


def write_material(model: Path, lengths: tuple[int, ...], file: Path) -> None:
    """All rows, and a prompt of each length in tokens: a system message and as many example turns as fit."""
    from engine.model.chat_format import ChatFormat
    from engine.records.prompt import Message

    chat = ChatFormat.load(model)
    lines = [json.loads(line) for line in (_DEMO / "questions.jsonl").read_text().splitlines()]
    lines = lines[::5] + lines[1::5] + lines[2::5] + lines[3::5] + lines[4::5]  # topics mixed
    answers = [_ANSWERS[i % 4].format(line["label"], line["label"]) for i, line in enumerate(lines)]
    rows = [
        (line["text"], chat.question_ids([Message("user", line["text"])]), chat.completion_ids(answer))
        for line, answer in zip(lines, answers, strict=True)
    ]
    turns = [
        (line["text"], answer)
        for line, answer in zip(lines[2 * TRAINING_ROWS :], answers[2 * TRAINING_ROWS :], strict=True)
    ]
    prompts = {str(length): _prompt_of(chat.prompt_prefix_ids, turns, length) for length in lengths}
    file.write_text(json.dumps({"rows": rows, "prompts": prompts}))


def _prompt_of(
    prefix_ids: Callable[["Prompt"], list[int]], turns: list[tuple[str, str]], length: int
) -> tuple[str, list[tuple[str, str]]]:
    """A system message and turns: as many turns as fit, then as many words of the instructions."""

    def tokens(system: str, count: int) -> int:
        return len(prefix_ids(as_prompt(system, turns[:count])))

    instructions = _INSTRUCTIONS.split()
    systems = [" ".join((_SYSTEM, *instructions[:count])) for count in range(len(instructions) + 1)]
    count = bisect_right(range(len(turns) + 1), length, key=lambda count: tokens(_SYSTEM, count)) - 1
    word_count = bisect_right(systems, length, key=lambda system: tokens(system, count)) - 1
    return systems[word_count], turns[:count]


def as_prompt(system: str, turns: list[tuple[str, str]]) -> "Prompt":
    """The system message and these turns."""
    from engine.records.prompt import Message, Prompt

    messages = [Message(*each) for q, a in turns for each in (("user", q), ("assistant", a))]
    return Prompt((Message("system", system), *messages))


def read_rows(file: Path, count: int, held_out: bool = False) -> list[Row]:
    """The first `count` rows of those to train on, or of the held-out ones."""
    rows = json.loads(file.read_text())["rows"]
    start = TRAINING_ROWS if held_out else 0
    return [Row(i, q, tuple(ids), tuple(answer)) for i, (q, ids, answer) in enumerate(rows)][start : start + count]


def read_prompt(file: Path, length: int) -> "Prompt":
    """The prompt of this length."""
    system, turns = json.loads(file.read_text())["prompts"][str(length)]
    return as_prompt(system, turns)

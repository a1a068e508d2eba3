"""The curated answers as OpenAI chat JSONL: questions and answers, without the prompt.

`questions import` can read it. Rows are read while they are written, so that memory does not limit their number.
"""

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from engine.curation.candidates import Candidate, leaks_of
from engine.errors import NotFoundError
from engine.project import Project
from engine.records.example import ExampleState
from engine.records.prompt import Message, as_plain
from engine.records.question import Split
from engine.records.selection import Selection

_READ_TOGETHER = 500
_BEYOND_ALL = 2**62


def chat_rows(
    project: Project, state: ExampleState, split: Split | None, on_leak: Callable[[int], None]
) -> Generator[dict[str, object], None, None]:
    """Iterate over the current prompt's examples in this state as plain JSON values, by id, at one point in time.

    `on_leak` is called with the id of each example that repeats the prompt. Raises `UsageError` if there is no prompt,
    and `NotFoundError` if there are no such examples.
    """
    prompt, rules, found = project.prompts.require(), project.rules.all(), 0
    with project.snapshot():
        for read in _read(project, Selection(prompt.sha256, state=state)):
            chosen = [each for each in read if split is None or each[1].split == split]
            for leaked in dict.fromkeys(finding.example_id for finding in leaks_of(prompt, rules, chosen)):
                on_leak(leaked)
            yield from map(_plain, chosen)
            found += len(chosen)
    if not found:
        of_split = "" if split is None else f" of the {split} split"
        raise NotFoundError(
            "There is nothing to export.",
            f"No answer to the current prompt{of_split} is {state}.",
            "List the answers: distill-tui curate list",
        )


def as_line(row: dict[str, object], *, ascii_only: bool = False) -> str:
    """Return a row as a line of JSON, including the line end."""
    return json.dumps(row, ensure_ascii=ascii_only) + "\n"


def _read(project: Project, selection: Selection) -> Iterator[list[Candidate]]:
    last = 0
    while rows := project.examples.window(0, _READ_TOGETHER, replace(selection, spans=((last + 1, _BEYOND_ALL),))):
        last = rows[-1].example.id
        yield [(row, project.questions.get(row.example.key.question_id)) for row in rows]


def _plain(candidate: Candidate) -> dict[str, object]:
    row, question = candidate
    asked = [message for message in question.messages if message.role != "system"]
    return {
        "messages": as_plain([*asked, Message("assistant", row.answer)]),
        "topic": question.topic,
        "split": question.split,
        "example": row.example.id,
        "teacher": row.example.key.teacher,
    }

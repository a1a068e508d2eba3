"""The bundled general questions, unrelated to any prompt. Knows nothing of who answers them."""

import json
from functools import cache
from typing import cast

from engine.bundled import bundled_text
from engine.records.prompt import Message
from engine.records.question import Question, Split

QUESTIONS = "general/questions.jsonl"  # path in the bundled data


@cache
def general_questions(split: Split) -> tuple[Question, ...]:
    """Return the questions of one split, numbered from 0. No student is ever trained on those of "test"."""
    rows = (cast("dict[str, str]", json.loads(line)) for line in bundled_text(QUESTIONS).splitlines())
    chosen = [row for row in rows if row["split"] == split]
    return tuple(
        Question((Message("user", row["text"]),), id=number, topic=row["topic"]) for number, row in enumerate(chosen)
    )

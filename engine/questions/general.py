"""The bundled general questions, which no prompt has anything to do with. Knows nothing of who answers them."""

import json
from typing import cast

from engine.bundled import bundled_text
from engine.records.prompt import Message
from engine.records.question import Question, Split

QUESTIONS = "general/questions.jsonl"  # among what is bundled


def general_questions(split: Split) -> tuple[Question, ...]:
    """Those of one split, numbered from 0: "train", or "test" for what no student is ever trained on."""
    rows = (cast("dict[str, str]", json.loads(line)) for line in bundled_text(QUESTIONS).splitlines())
    chosen = [row for row in rows if row["split"] == split]
    return tuple(
        Question((Message("user", row["text"]),), id=number, topic=row["topic"]) for number, row in enumerate(chosen)
    )

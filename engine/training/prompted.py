"""Rows behind the prompts that their answers came from: each row's teacher sees its own. Knows nothing of losses.

What is computed behind one prompt is computed for its rows together, so that its keys and values are held once.
"""

from collections.abc import Mapping, Sequence

from engine.model.chat_format import ChatFormat
from engine.records.dataset import DatasetRow, TaughtPrompt
from engine.records.prompt import Message


class Prompted:
    """The ids that the teacher reads, for rows of any of the `taught` prompts."""

    def __init__(self, chat: ChatFormat, taught: Sequence[TaughtPrompt]) -> None:
        self.taught = taught
        self._chat = chat
        self._messages: list[Mapping[int, Sequence[Message]]] = [
            {question.id: question.messages for question in each.questions} for each in taught
        ]

    def ids(self, row: DatasetRow) -> list[int]:
        """The row's prompt and its question, up to where the answer begins."""
        return self._chat.prompted_ids(self.taught[row.prompt_index].prompt, self._asked(row))

    def prefix_ids(self, prompt_index: int, rows: Sequence[DatasetRow]) -> list[int]:
        """What all those of `rows` that answer to this prompt begin with, found without reading them."""
        single_turn = all(len(self._asked(row)) == 1 for row in rows if row.prompt_index == prompt_index)
        return self._chat.prompt_prefix_ids(self.taught[prompt_index].prompt, single_turn=single_turn)

    def _asked(self, row: DatasetRow) -> Sequence[Message]:
        return self._messages[row.prompt_index][row.question_id]


def by_prompt(rows: Sequence[DatasetRow]) -> dict[int, list[int]]:
    """The places in `rows` of those that answer to each prompt, by the prompt's index."""
    places: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.prompt_index, []).append(place)
    return dict(sorted(places.items()))

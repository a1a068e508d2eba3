"""Rows with the prompt of their teacher in context; each row has its own prompt. Knows nothing of losses.

Rows with the same prompt are computed together, so that its keys and values are held only once.
"""

from collections.abc import Mapping, Sequence

from engine.model.chat_format import ChatFormat
from engine.records.dataset import DatasetPrompt, DatasetRow
from engine.records.prompt import Message


class Prompted:
    """The ids that the teacher reads, for rows of any of the `dataset_prompts`."""

    def __init__(self, chat: ChatFormat, dataset_prompts: Sequence[DatasetPrompt]) -> None:
        self.dataset_prompts = dataset_prompts
        self._chat = chat
        self._messages: list[Mapping[int, Sequence[Message]]] = [
            {question.id: question.messages for question in each.questions} for each in dataset_prompts
        ]

    def ids(self, row: DatasetRow) -> list[int]:
        """Return the row's prompt and question, up to where the answer starts."""
        return self._chat.prompted_ids(self.dataset_prompts[row.prompt_index].prompt, self._asked(row))

    def prefix_ids(self, prompt_index: int, rows: Sequence[DatasetRow]) -> list[int]:
        """Return the ids that all `rows` of this prompt start with, without comparing their ids."""
        single_turn = all(len(self._asked(row)) == 1 for row in rows if row.prompt_index == prompt_index)
        return self._chat.prompt_prefix_ids(self.dataset_prompts[prompt_index].prompt, single_turn=single_turn)

    def _asked(self, row: DatasetRow) -> Sequence[Message]:
        return self._messages[row.prompt_index][row.question_id]


def by_prompt(rows: Sequence[DatasetRow]) -> dict[int, list[int]]:
    """Return the indices in `rows` that belong to each prompt, by the prompt's index."""
    places: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.prompt_index, []).append(place)
    return dict(sorted(places.items()))

"""The validation tokens at which student and teacher differ most, found in the pass that measures their divergence.

Needs no extra forward pass: only the student's most likely tokens, from logits that are there anyway. Knows nothing of
losses or of which rows are measured.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from torch import Tensor

from engine.model.chat_format import ChatFormat
from engine.records.dataset import DatasetRow
from engine.records.run import BEFORE_CHARACTERS, WORST_KEPT, WorstToken


def worst(tokens: Iterable[WorstToken]) -> tuple[WorstToken, ...]:
    """Return the worst of `tokens`, the worst first; ties by prompt and example."""
    return tuple(sorted(tokens, key=lambda one: (-one.kl, one.prompt_index, one.example_id))[:WORST_KEPT])


def worst_of_batch(
    rows: Sequence[DatasetRow], losses: Tensor, teacher_ids: Tensor, student_ids: Tensor, chat: ChatFormat
) -> Iterator[WorstToken]:
    """Yield the worst of one batch. Tensors (N,) over the completion tokens of all `rows`: nats, most likely tokens.

    Tokens whose loss is not finite are left out.
    """
    places = [(row, place) for row in rows for place in range(len(row.completion_ids))]
    values, found = losses.topk(min(WORST_KEPT, len(losses)))
    for kl, index in zip(values.tolist(), found.tolist(), strict=True):
        if math.isfinite(kl):
            row, place = places[index]
            yield _worst_token(kl, row, place, int(teacher_ids[index]), int(student_ids[index]), chat)


def _worst_token(
    kl: float, row: DatasetRow, place: int, teacher_id: int, student_id: int, chat: ChatFormat
) -> WorstToken:
    ids = row.completion_ids[:place]
    return WorstToken(
        kl=kl,
        example_id=row.example_id,
        before=chat.decode(ids)[-BEFORE_CHARACTERS:],
        token=chat.text_after(ids, row.completion_ids[place]),
        teacher=chat.text_after(ids, teacher_id),
        student=chat.text_after(ids, student_id),
        prompt_index=row.prompt_index,
    )

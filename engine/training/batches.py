"""The tensors of one forward pass, and what rows must be before any are made. Knows nothing of models or teachers.

Masks come from ids: the completion of a row, its stop token included, carries loss, and nothing else does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.errors import ContextError, DatasetError
from engine.records.dataset import DatasetRow

_LEAK_TOKENS = 13  # fewer in a row occur by chance between texts on one subject


@dataclass(frozen=True, slots=True)
class Batch:
    """One forward pass: B rows padded on the right to L tokens, and N completion tokens.

    Padding stands after a row's own tokens, so causal attention never sees it and no mask is needed.
    """

    input_ids: Tensor  # (B, L) int64
    positions: Tensor  # (N,) int64 into the flattened (B·L): where the logits of each completion token are made
    target_ids: Tensor  # (N,) int64
    follows_teacher: Tensor  # (N,) bool: before any edit, so that a local teacher's distribution holds
    real_tokens: int  # without padding
    position_ids: Tensor | None = None  # (B, L) where they are not 0, 1, 2 …
    visible: Tensor | None = None  # (B, 1, L, L) bool: which keys each query sees, where that is not all before it


def make_batch(rows: Sequence[DatasetRow]) -> Batch:
    """Tensors of `rows`, padded with 0; the input leaves out each row's last token, which nothing is predicted from."""
    sequences = [(*row.question_ids, *row.completion_ids)[:-1] for row in rows]
    longest = max(len(sequence) for sequence in sequences)
    input_ids = torch.zeros((len(rows), longest), dtype=torch.int64)
    positions: list[Tensor] = []
    for place, (row, sequence) in enumerate(zip(rows, sequences, strict=True)):
        input_ids[place, : len(sequence)] = torch.tensor(sequence, dtype=torch.int64)
        start = place * longest + len(row.question_ids) - 1
        positions.append(torch.arange(start, start + len(row.completion_ids)))
    return Batch(
        input_ids=input_ids,
        positions=torch.cat(positions),
        target_ids=torch.tensor([token for row in rows for token in row.completion_ids], dtype=torch.int64),
        follows_teacher=torch.cat([torch.arange(len(row.completion_ids)) < row.edited_from for row in rows]),
        real_tokens=sum(len(sequence) for sequence in sequences),
    )


def shared_length(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all `rows` begin with, leaving each one of its own at least."""
    ordered = [tuple(row) for row in rows]
    first, last = min(ordered), max(ordered)  # what the first and the last in this order share, all share
    longest = min(map(len, rows)) - 1
    return next((place for place in range(longest) if first[place] != last[place]), longest)


def behind_one_copy(rows: Sequence[DatasetRow], shared: int) -> Batch:
    """One sequence of all `rows`, whose questions begin with the same `shared` tokens, read once for all of them.

    Each row's own tokens stand where they would without the others, and see the shared tokens and their own alone.
    """
    prefix = rows[0].question_ids[:shared]
    ids, places = list(prefix), list(range(shared))
    segment = [0] * shared
    positions: list[Tensor] = []
    for number, row in enumerate(rows, start=1):
        if row.question_ids[:shared] != prefix or len(row.question_ids) == shared:
            raise ValueError(f"row {row.example_id} does not go on from the shared tokens")
        own = (*row.question_ids[shared:], *row.completion_ids[:-1])
        start = len(ids) + len(row.question_ids) - shared - 1
        positions.append(torch.arange(start, start + len(row.completion_ids)))
        ids += own
        places += range(shared, shared + len(own))
        segment += [number] * len(own)
    parts = torch.tensor(segment)
    sees = (parts[None, :] == 0) | (parts[:, None] == parts[None, :])
    return Batch(
        input_ids=torch.tensor([ids]),
        positions=torch.cat(positions),
        target_ids=torch.tensor([token for row in rows for token in row.completion_ids]),
        follows_teacher=torch.cat([torch.arange(len(row.completion_ids)) < row.edited_from for row in rows]),
        real_tokens=len(ids),
        position_ids=torch.tensor([places]),
        visible=sees.tril()[None, None],
    )


def check_rows(rows: Sequence[DatasetRow], context_length: int) -> None:
    """Raise before training for what cannot be trained on.

    DatasetError for an empty dataset or a row without a question or a completion; ContextError for a row longer
    than the model's context, naming the example and the limit.
    """
    if not rows:
        raise DatasetError(
            "The dataset has no training rows.",
            "No accepted example belongs to the train split.",
            "Generate and accept answers, then run `distill-tui curate freeze`.",
        )
    for row in rows:
        if not row.question_ids or not row.completion_ids:
            raise DatasetError(
                f"{row.name} cannot be trained on.",
                "Its question or its answer has no tokens.",
                "Reject it, freeze the dataset again and train on that.",
            )
        length = len(row.question_ids) + len(row.completion_ids)
        if length > context_length:
            raise ContextError(
                f"{row.name} is longer than the model's context.",
                f"Question and answer have {length} tokens, the context holds {context_length}.",
                "Reject it or shorten the answer, freeze the dataset again and train on that.",
            )


def check_prompt_absent(rows: Sequence[DatasetRow], message_ids: Sequence[Sequence[int]]) -> None:
    """Raise DatasetError where a row repeats a whole message of the prompt, whose token ids `message_ids` are.

    Messages of few tokens are ordinary speech, and words that a rule dictates are the student's to say: neither counts.
    """
    long = [ids for ids in message_ids if len(ids) >= _LEAK_TOKENS]
    for row in rows:
        free = np.concatenate([np.ones(len(row.question_ids), dtype=bool), ~np.asarray(row.fixed, dtype=bool)])
        for message, start in occurrences((*row.question_ids, *row.completion_ids), long):
            if free[start : start + len(long[message])].sum() >= _LEAK_TOKENS:
                raise DatasetError(
                    "The dataset repeats the prompt.",
                    f"{row.name} holds a whole message of it, word for word.",
                    f"Reject it (distill-tui curate reject {row.example_id}), freeze again and train on that.",
                )


def occurrences(ids: Sequence[int], message_ids: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """(which of the messages, where it starts) of every one whose token ids stand in `ids` in one piece."""
    text = np.asarray(ids, dtype=np.int64)
    for index, message in enumerate(message_ids):
        needle = np.asarray(message, dtype=np.int64)
        if not 0 < len(needle) <= len(text):
            continue
        for start in np.flatnonzero(text[: len(text) - len(needle) + 1] == needle[0]):
            if np.array_equal(text[start : start + len(needle)], needle):
                yield index, int(start)

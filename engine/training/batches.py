"""The tensors of one forward pass, and the checks on rows before any are made. Knows nothing of models or teachers.

Masks come from ids: the completion of a row, including its stop token, carries loss, and nothing else does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.errors import ContextError, DatasetError
from engine.records.dataset import DatasetRow

_LEAK_TOKENS = 13  # texts on the same subject share shorter sequences by chance


@dataclass(frozen=True, slots=True)
class Batch:
    """One forward pass: B rows padded on the right to L tokens, and N completion tokens.

    Padding comes after a row's own tokens, so causal attention never sees it and no mask is needed.
    """

    input_ids: Tensor  # (B, L) int64
    positions: Tensor  # (N,) int64 into the flattened (B·L): the position that predicts each completion token
    target_ids: Tensor  # (N,) int64
    follows_teacher: Tensor  # (N,) bool: before any edit, so that a local teacher's distribution holds
    real_tokens: int  # without padding
    position_ids: Tensor | None = None  # (B, L) if they are not 0, 1, 2 …
    visible: Tensor | None = None  # (B, 1, L, L) bool: which keys each query sees, if not simply all before it


def make_batch(rows: Sequence[DatasetRow]) -> Batch:
    """Return the tensors of `rows`, padded with 0; the input omits each row's last token, which predicts nothing."""
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
    """Return the length of the prefix that all `rows` share, leaving each at least one token of its own."""
    ordered = [tuple(row) for row in rows]
    first, last = min(ordered), max(ordered)  # a prefix that these two share, all share
    longest = min(map(len, rows)) - 1
    return next((place for place in range(longest) if first[place] != last[place]), longest)


def shared_prompt_batch(rows: Sequence[DatasetRow], shared: int) -> Batch:
    """Return one sequence of all `rows`, whose questions start with the same `shared` tokens, read once for all.

    Each row's own tokens have the positions that they would have alone, and see only the shared tokens and their own.
    """
    prefix = rows[0].question_ids[:shared]
    ids, places = list(prefix), list(range(shared))
    segment = [0] * shared
    positions: list[Tensor] = []
    for number, row in enumerate(rows, start=1):
        if row.question_ids[:shared] != prefix or len(row.question_ids) == shared:
            raise ValueError(f"row {row.example_id} does not start with the shared tokens, or has no others")
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
    """Check before training that all `rows` can be trained on.

    Raises `DatasetError` for an empty dataset or a row without a question or a completion, and `ContextError` for a
    row longer than the model's context, naming the example and the limit.
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
                f"{row.name} cannot be used for training.",
                "Its question or its answer has no tokens.",
                "Reject it, then freeze a new dataset and train on it.",
            )
        length = len(row.question_ids) + len(row.completion_ids)
        if length > context_length:
            raise ContextError(
                f"{row.name} is longer than the model's context.",
                f"Question and answer have {length} tokens; the context holds {context_length}.",
                "Reject it or shorten the answer, then freeze a new dataset and train on it.",
            )


def check_prompt_absent(rows: Sequence[DatasetRow], message_ids: Sequence[Sequence[int]]) -> None:
    """Raise `DatasetError` if a row repeats a whole message of the prompt; `message_ids` are the messages' token ids.

    Short messages are ordinary language, and text that a rule dictates is meant to be repeated: neither counts.
    """
    long = [ids for ids in message_ids if len(ids) >= _LEAK_TOKENS]
    for row in rows:
        free = np.concatenate([np.ones(len(row.question_ids), dtype=bool), ~np.asarray(row.fixed, dtype=bool)])
        for message, start in occurrences((*row.question_ids, *row.completion_ids), long):
            if free[start : start + len(long[message])].sum() >= _LEAK_TOKENS:
                raise DatasetError(
                    "The dataset repeats the prompt.",
                    f"{row.name} contains a whole message of the prompt, word for word.",
                    f"Reject it (distill-tui curate reject {row.example_id}), freeze a new dataset and train on it.",
                )


def occurrences(ids: Sequence[int], message_ids: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Yield (message index, start) for every occurrence of a message's token ids as one piece of `ids`."""
    text = np.asarray(ids, dtype=np.int64)
    for index, message in enumerate(message_ids):
        needle = np.asarray(message, dtype=np.int64)
        if not 0 < len(needle) <= len(text):
            continue
        for start in np.flatnonzero(text[: len(text) - len(needle) + 1] == needle[0]):
            if np.array_equal(text[start : start + len(needle)], needle):
                yield index, int(start)

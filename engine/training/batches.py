"""Which rows an optimizer step sees, and the tensors made of them. Knows nothing of models or teachers.

Everything is decided by (seed, epoch), so that a run resumed at any step sees exactly the rows it would have seen.
Masks come from ids: the completion of a row, its stop token included, carries loss, and nothing else does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.errors import ContextError, DatasetError
from engine.records.dataset import DatasetRow

# Rows are sorted by length within windows of this many batches: little padding, yet batches mix from epoch to epoch.
_WINDOW_BATCHES = 8


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rows of every optimizer step of a run, as indices into the training rows."""

    lengths: tuple[int, ...]  # tokens of each training row
    batch_rows: int
    epochs: float
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_rows)

    @property
    def steps(self) -> int:
        """All optimizer steps of the run; a fraction of an epoch is rounded to whole steps."""
        return max(1, round(self.epochs * self.steps_per_epoch))

    def epoch_at(self, step: int) -> float:
        """How many epochs are behind after `step` steps."""
        return step / self.steps_per_epoch

    def epoch_batches(self, epoch: int) -> tuple[tuple[int, ...], ...]:
        """All batches of one epoch in order: every row once, sizes differing by one at most, longest row first."""
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.lengths))
        window = self.batch_rows * _WINDOW_BATCHES
        for start in range(0, len(order), window):
            part = order[start : start + window]
            order[start : start + window] = sorted(part, key=lambda index: -self.lengths[index])
        batches = np.array_split(order, self.steps_per_epoch)
        return tuple(tuple(int(index) for index in batches[place]) for place in random.permutation(len(batches)))

    def rows_at(self, step: int) -> tuple[int, ...]:
        """The rows of optimizer step `step`, counted from 0."""
        epoch, place = divmod(step, self.steps_per_epoch)
        return self.epoch_batches(epoch)[place]


@dataclass(frozen=True, slots=True)
class Batch:
    """One forward pass: B rows padded on the right to L tokens, and N completion tokens.

    Padding stands after a row's own tokens, so causal attention never sees it and no mask is needed.
    """

    input_ids: Tensor  # (B, L) int64
    positions: Tensor  # (N,) int64 into the flattened (B·L): where the logits of each completion token are made
    target_ids: Tensor  # (N,) int64
    row_index: Tensor  # (N,) int64: which of the B rows
    token_index: Tensor  # (N,) int64: which token of that row's completion
    real_tokens: int  # without padding


def make_batch(rows: Sequence[DatasetRow], pad_id: int = 0) -> Batch:
    """Tensors of `rows`; the input leaves out each row's last token, which nothing is predicted from."""
    sequences = [(*row.question_ids, *row.completion_ids)[:-1] for row in rows]
    longest = max(len(sequence) for sequence in sequences)
    input_ids = torch.full((len(rows), longest), pad_id, dtype=torch.int64)
    positions: list[Tensor] = []
    for place, (row, sequence) in enumerate(zip(rows, sequences, strict=True)):
        input_ids[place, : len(sequence)] = torch.tensor(sequence, dtype=torch.int64)
        start = place * longest + len(row.question_ids) - 1
        positions.append(torch.arange(start, start + len(row.completion_ids)))
    counts = torch.tensor([len(row.completion_ids) for row in rows])
    return Batch(
        input_ids=input_ids,
        positions=torch.cat(positions),
        target_ids=torch.tensor([token for row in rows for token in row.completion_ids], dtype=torch.int64),
        row_index=torch.arange(len(rows)).repeat_interleave(counts),
        token_index=torch.cat([torch.arange(count) for count in counts.tolist()]),
        real_tokens=sum(len(sequence) for sequence in sequences),
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
                f"Example {row.example_id} cannot be trained on.",
                "Its question or its answer has no tokens.",
                "Reject it, freeze the dataset again and train on that.",
            )
        length = len(row.question_ids) + len(row.completion_ids)
        if length > context_length:
            raise ContextError(
                f"Example {row.example_id} is longer than the model's context.",
                f"Question and answer have {length} tokens, the context holds {context_length}.",
                "Reject it or shorten the answer, freeze the dataset again and train on that.",
            )


def prompt_occurs_in(ids: Sequence[int], prompt_ids: Sequence[Sequence[int]]) -> int | None:
    """The index of the first of the prompt's messages whose token ids stand in `ids` in one piece, or None."""
    text = np.asarray(ids, dtype=np.int64)
    for index, message in enumerate(prompt_ids):
        needle = np.asarray(message, dtype=np.int64)
        if not len(needle) or len(needle) > len(text):
            continue
        starts = np.flatnonzero(text[: len(text) - len(needle) + 1] == needle[0])
        if any(np.array_equal(text[start : start + len(needle)], needle) for start in starts):
            return index
    return None

"""Scores given answers: the teacher's top-k with the prompt in context, and the exact divergence between two passes.

Nothing is sampled. The output head is applied only at completion positions, a few hundred at a time. Knows nothing of
text or of how the numbers are used.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor

from engine.errors import UsageError
from engine.model.load import adapter_off
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache, forward_shared

BATCH_TOKENS = 1024  # own tokens per forward pass, padding included
_HEAD_BYTES = 64 << 20  # logits held at once
_NOTHING = -100.0  # the logarithm of a mass too small to matter; finite, so that 0 · log 0 stays 0


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A context (all ids, including the prompt's) and the completion that follows it."""

    context_ids: Sequence[int]
    completion_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class DivergenceRow:
    """One completion after two contexts: with the prompt, and prompt-free."""

    prompted_ids: Sequence[int]
    question_ids: Sequence[int]
    completion_ids: Sequence[int]


@dataclass(frozen=True, slots=True, eq=False)
class TopK:
    """The distribution before each of T completion tokens: its k likeliest ids and one bucket for all others."""

    ids: Tensor  # (T, k) int32
    logprobs: Tensor  # (T, k) float16
    tail: Tensor  # (T,) float16, the logarithm of the remaining mass
    completion_logprobs: Tensor  # (T,) float32, of the completion's own tokens


@torch.inference_mode()
def score(
    local: LocalModel,
    rows: Sequence[ScoreRow],
    *,
    prefix: PromptCache | None = None,
    k: int,
    batch_tokens: int = BATCH_TOKENS,
) -> list[TopK]:
    """Return the top-k of every row, on the CPU, in the rows' order, with the adapter's current setting.

    With `prefix`, each context must start with its ids (else `ModelError`). A pass reads at most `batch_tokens` tokens
    after it, or one row. Raises `ContextError` if context and completion do not fit.
    """
    if k < 1:
        raise UsageError("At least one log-probability per token is needed.", f"k is {k}.")
    results: dict[int, TopK] = {}
    for part in _hidden_batches(local, rows, prefix, batch_tokens):
        pieces: list[tuple[Tensor, ...]] = []
        targets = torch.cat([torch.tensor(list(rows[i].completion_ids)) for i in part.rows]).to(local.device)
        for chunk, target in _chunks(local, part.hidden, targets):
            logprobs = torch.log_softmax(local.logits(chunk), dim=-1)
            own = logprobs.gather(1, target[:, None])[:, 0]
            top = logprobs.topk(min(k, logprobs.shape[1]), dim=-1)
            tail = logprobs.scatter_(1, top.indices, -torch.inf).logsumexp(dim=-1).clamp_min_(_NOTHING)
            pieces.append((top.indices.int(), top.values.half(), tail.half(), own.float()))
        whole = [torch.cat(column).cpu() for column in zip(*pieces, strict=True)]  # waits for a GPU once per pass
        for i, split in zip(part.rows, zip(*(column.split(part.counts) for column in whole), strict=True), strict=True):
            results[i] = TopK(*(column.clone() for column in split))
    return [results[i] for i in range(len(rows))]


@torch.inference_mode()
def divergence(
    local: LocalModel,
    rows: Sequence[DivergenceRow],
    prefix: PromptCache | None = None,
    *,
    students: Sequence[Callable[[], AbstractContextManager[None]]] = (nullcontext,),
    student_prefix: PromptCache | None = None,
    on_rows: Callable[[int], None] | None = None,
) -> list[list[Tensor]]:
    """Return KL(prompted, adapter off ‖ prompt-free) at each completion token: per student and row, (T,) float32 nats.

    Exact over the whole vocabulary. `prefix` must have been built with the adapter off. Each of `students` switches the
    model to that student while inside; `adapter_off` gives the divergence of the unprompted base. The prompted pass,
    the most expensive, is shared by all students. `student_prefix` is for students with their own prompt, which
    `question_ids` must then contain; it must have been built with the students' setting of the adapter.
    """
    results: list[dict[int, Tensor]] = [{} for _ in students]
    prompted = [ScoreRow(row.prompted_ids, row.completion_ids) for row in rows]
    free = [ScoreRow(row.question_ids, row.completion_ids) for row in rows]
    for indices in _batches([_own_length(row, prefix) for row in prompted]):
        with adapter_off(local):
            teacher = hidden_states(local, [prompted[i] for i in indices], prefix)
        hidden: list[Tensor] = []
        for switched in students:
            with switched():
                hidden.append(hidden_states(local, [free[i] for i in indices], student_prefix))
        pieces: list[list[Tensor]] = [[] for _ in students]
        # Our adapters leave the output head alone; if one adapts it, the head is switched like all layers.
        adapted = isinstance(local.base.get_output_embeddings(), BaseTunerLayer)
        for teacher_chunk, *student_chunks in _chunks(local, teacher, *hidden):
            with adapter_off(local) if adapted else nullcontext():
                expected = torch.log_softmax(local.logits(teacher_chunk), dim=-1)
            weights = expected.exp()
            for piece, switched, chunk in zip(pieces, students, student_chunks, strict=True):
                with switched() if adapted else nullcontext():
                    found = torch.log_softmax(local.logits(chunk), dim=-1)
                piece.append((weights * (expected - found)).sum(dim=-1))
        counts = [len(rows[i].completion_ids) for i in indices]
        for result, piece in zip(results, pieces, strict=True):
            result.update(zip(indices, (row.clone() for row in torch.cat(piece).cpu().split(counts)), strict=True))
        if on_rows is not None:
            on_rows(len(results[0]))
    return [[result[i] for i in range(len(rows))] for result in results]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    rows: list[int]
    counts: list[int]  # completion tokens of each
    hidden: Tensor  # (sum of counts, H)


def _hidden_batches(
    local: LocalModel, rows: Sequence[ScoreRow], prefix: PromptCache | None, batch_tokens: int
) -> Iterator[_Part]:
    for indices in _batches([_own_length(row, prefix) for row in rows], batch_tokens):
        chosen = [rows[i] for i in indices]
        yield _Part(indices, [len(row.completion_ids) for row in chosen], hidden_states(local, chosen, prefix))


def hidden_states(local: LocalModel, rows: Sequence[ScoreRow], prefix: PromptCache | None) -> Tensor:
    """Return the hidden states from which each completion token is predicted, rows concatenated: (N, H).

    Runs one pass with the adapter's current setting; `prefix` as in `score`, and no gradient flows through it.
    Raises `ContextError` if context and completion do not fit.
    """
    cached = prefix if prefix is not None else PromptCache.build(local, ())
    own, keep = [], []
    for row in rows:
        local.format.check_length([*row.context_ids, *row.completion_ids], "An example")
        if not row.completion_ids:
            raise UsageError("Cannot score an example without an answer.")
        context = cached.own_part(row.context_ids)
        own.append([*context, *row.completion_ids[:-1]])
        keep.append((len(context) - 1, len(row.completion_ids)))
    longest = max(map(len, own))
    # Padded on the right: no token sees what comes after it, so padding needs no mask.
    ids = torch.tensor([[*row, *([0] * (longest - len(row)))] for row in own], device=local.device)
    positions = (torch.arange(longest, device=local.device) + cached.length).expand(len(own), -1)
    hidden = forward_shared(local, cached, ids, positions, None)
    return torch.cat([hidden[i, start : start + count] for i, (start, count) in enumerate(keep)])


def _batches(lengths: Sequence[int], most: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Group rows of similar length, at most `most` tokens per pass including padding."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) + 1) * lengths[batch[0]] > most:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _own_length(row: ScoreRow, prefix: PromptCache | None) -> int:
    return len(row.context_ids) - (prefix.length if prefix is not None else 0) + len(row.completion_ids)


def _chunks(local: LocalModel, *columns: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Split tensors with equal numbers of rows into pieces whose logits fit the memory reserved for them."""
    vocabulary = local.base.config.get_text_config().vocab_size
    size = max(1, _HEAD_BYTES // (4 * vocabulary))
    return zip(*(column.split(size) for column in columns), strict=True)

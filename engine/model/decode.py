"""Decodes answers in batches that stay full: finished rows leave, and waiting rows take their places.

All rows of a batch share one prompt's keys and values. Each row samples with its own seeded numbers, so an answer does
not depend on its neighbours. Knows nothing of text, rules or the store.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

import torch
from torch import Tensor

from engine.errors import ModelError, UsageError
from engine.model.local_model import LocalModel
from engine.model.own_cache import OwnCache, rows_that_fit
from engine.model.packed import packed_weights
from engine.model.prompt_cache import PromptCache

_COLDEST = 1e-3  # below this temperature the arithmetic overflows; the likeliest token is taken instead
OnTokens = Callable[[int, list[int]], None]  # (row, new ids)


class NoProbabilities(ModelError):
    """The logits are not finite, so there is nothing to sample from."""

    def __init__(self) -> None:
        super().__init__(
            "The model gives no valid probabilities.",
            "Its logits are infinite or not numbers: the weights of the model or its adapter are broken, or this "
            "precision is too low for them.",
            "Train again with a lower learning rate, or use float32.",
        )


@dataclass(frozen=True, slots=True)
class Decoded:
    """One row's answer: the produced ids (stop token included), why it ended, and timings."""

    ids: tuple[int, ...]
    finish_reason: Literal["stop", "length", "cancelled"]
    first_token_s: float  # from the row's admission to its first token
    seconds: float


OnFinished = Callable[[int, Decoded], None]  # (row, answer)


@dataclass(frozen=True, slots=True)
class Draw:
    """How a row's tokens are sampled. Temperature 0 takes the likeliest; `top_p` keeps the likeliest of that mass."""

    temperature: float
    top_p: float = 1.0


@dataclass(slots=True, eq=False)
class Row:
    """One answer in progress. `index` identifies it to the listeners."""

    index: int
    own: list[int]  # ids after the prompt
    limit: int
    draw: Draw
    uniform: Tensor  # one number in [0, 1) per token
    admitted_at: float = 0.0
    first_token_s: float = 0.0
    produced: list[int] = field(default_factory=list)

    @classmethod
    def make(cls, index: int, own: list[int], limit: int, draw: Draw, seed: int) -> "Row":
        """Make a row that samples with the numbers of its seed, any whole number (modulo 2⁶⁴)."""
        generator = torch.Generator().manual_seed(seed % 2**64)
        return cls(index, own, limit, draw, torch.rand(limit, generator=generator))

    @property
    def slot(self) -> int:
        """Where the next key goes: after the question and all produced tokens except the last."""
        return len(self.own) + len(self.produced) - 1


def limits_within(local: LocalModel, rows: Sequence[Sequence[int]], most: int) -> list[int]:
    """Return how many tokens the answer to each row may have: at most `most`, and only as many as its context holds."""
    return [max(1, min(most, local.format.context_length - len(row))) for row in rows]


@torch.inference_mode()
def decode(
    local: LocalModel,
    rows: Sequence[Sequence[int]],
    *,
    prefix: PromptCache | None = None,
    temperature: float,
    max_new_tokens: int | Sequence[int],
    seeds: Sequence[int],
    batch_rows: int = 128,
    local_processes: int = 1,
    on_tokens: OnTokens | None = None,
    on_finished: OnFinished | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Decoded]:
    """Answer every row; results are in the order of the rows.

    `rows` are complete ids, including the prompt: with `prefix`, each must start with its ids (else `ModelError`).
    Temperature 0 takes the likeliest token. `max_new_tokens`: for all rows, or one per row; `seeds`: one per row. At
    most `batch_rows` rows are decoded together, and no more than fit into memory, which is shared equally by
    `local_processes` processes, including this one. `on_finished` is called as each row ends; after `should_stop`
    returns True nothing more is computed and unfinished rows come back as "cancelled", without a call. Raises
    `ContextError` if a row leaves no room for its longest answer.
    """
    if len(seeds) != len(rows):
        raise UsageError("Each row needs one seed.", f"{len(rows)} rows, {len(seeds)} seeds.")
    limits = [max_new_tokens] * len(rows) if isinstance(max_new_tokens, int) else list(max_new_tokens)
    if min(limits, default=1) < 1 or batch_rows < 1 or temperature < 0:
        raise UsageError("Decoding needs at least one token, at least one row, and a temperature of 0 or more.")
    cached = prefix if prefix is not None else PromptCache.build(local, ())
    draw = Draw(temperature)
    waiting: deque[Row] = deque()
    for index, (row, limit, seed) in enumerate(zip(rows, limits, seeds, strict=True)):
        local.format.check_length([*row, *([0] * limit)], f"Row {index + 1} with its answer")
        waiting.append(Row.make(index, cached.own_part(row), limit, draw, seed))
    results: dict[int, Decoded] = {}

    def keep(index: int, decoded: Decoded) -> None:
        results[index] = decoded
        if on_finished is not None:
            on_finished(index, decoded)

    longest = max((len(row.own) + row.limit for row in waiting), default=1)
    # Similar rows are admitted together, so that a prefill pads little and reads no question twice.
    waiting = deque(sorted(waiting, key=lambda row: (len(row.own), row.own)))
    # A single row gains nothing from packed weights. Rows are limited by the memory that packing leaves.
    with packed_weights(local, local_processes) if min(batch_rows, len(rows)) > 1 else nullcontext():
        capacity = min(batch_rows, len(rows), rows_that_fit(local, cached, longest, local_processes))
        batch = Batch(local, cached, capacity, on_tokens, keep)
        while waiting or batch.rows:
            if should_stop is not None and should_stop():
                results.update((row.index, cancelled(row)) for row in (*batch.rows, *waiting))
                break
            batch.admit(waiting)
            batch.step()
    return [results[index] for index in range(len(rows))]


def cancelled(row: Row) -> Decoded:
    """Return what a row has produced so far, as cancelled."""
    seconds = time.perf_counter() - row.admitted_at if row.admitted_at else 0.0
    return Decoded(tuple(row.produced), "cancelled", row.first_token_s, seconds)


class Batch:
    """The rows that are decoded together, packed at the front of the cache.

    Call `admit` and `step` with gradients off and with the adapter always in the same state.
    """

    def __init__(
        self,
        local: LocalModel,
        prefix: PromptCache,
        capacity: int,
        on_tokens: OnTokens | None,
        on_finished: OnFinished,
    ) -> None:
        self.local, self.prefix = local, prefix
        self.capacity = capacity
        self.on_tokens, self.on_finished = on_tokens, on_finished
        self.rows: list[Row] = []
        self.cache = OwnCache(local, prefix, max(1, capacity))

    def admit(self, waiting: deque[Row]) -> None:
        """Read waiting rows into the free places."""
        free = self.capacity - len(self.rows)
        # A pass for a single row costs nearly a whole step, so places are refilled a few at a time.
        if not waiting or (self.rows and free < min(len(waiting), max(1, self.capacity // 8))):
            return
        new = [waiting.popleft() for _ in range(min(free, len(waiting)))]
        now = time.perf_counter()
        for row in new:
            row.admitted_at = now
        # Recurrent layers would read padding as text.
        alike = groupby(sorted(new, key=_length), _length) if self.prefix.recurrent else [(0, iter(new))]
        for _, together in alike:
            self._read(list(together))

    def step(self) -> None:
        """Decode one token for every row."""
        if self.rows:
            hidden = self.cache.step([row.produced[-1] for row in self.rows], [row.slot for row in self.rows])
            self._take(list(self.rows), hidden)

    def drop(self, row: Row) -> None:
        """Remove a row that nobody waits for any more."""
        place, last = self.rows.index(row), len(self.rows) - 1
        if place != last:
            moved = self.rows[last]
            self.cache.move(last, place, moved.slot + 1)
            self.rows[place] = moved
        self.rows.pop()

    def _read(self, new: list[Row]) -> None:
        # Several samples of one question are read once.
        questions = list(dict.fromkeys(tuple(row.own) for row in new))
        source = [questions.index(tuple(row.own)) for row in new]
        hidden = self.cache.read(questions, source, len(self.rows))
        last = [len(row.own) - 1 for row in new]
        self.rows.extend(new)
        self._take(new, hidden[source, last])

    def _take(self, rows: list[Row], hidden: Tensor) -> None:
        """Sample the next token of each of `rows` from its last hidden state (n, H); rows that end leave."""
        logits = self.local.logits(hidden)
        uniform = torch.stack([row.uniform[len(row.produced)] for row in rows]).to(logits.device)
        tokens = [0] * len(rows)
        for draw in dict.fromkeys(row.draw for row in rows):
            alike = [place for place, row in enumerate(rows) if row.draw == draw]
            part = (logits, uniform) if len(alike) == len(rows) else (logits[alike], uniform[alike])
            drawn = sample(part[0], draw.temperature, part[1], draw.top_p).tolist()
            for place, token in zip(alike, drawn, strict=True):
                tokens[place] = token
        now = time.perf_counter()
        stop_ids = self.local.format.stop_ids
        for row, token in zip(rows, tokens, strict=True):
            if not row.produced:
                row.first_token_s = now - row.admitted_at
            row.produced.append(token)
            if self.on_tokens is not None:
                self.on_tokens(row.index, [token])
            if token in stop_ids or len(row.produced) == row.limit:
                self._leave(row, "stop" if token in stop_ids else "length", now - row.admitted_at)

    def _leave(self, row: Row, reason: Literal["stop", "length"], seconds: float) -> None:
        self.drop(row)
        self.on_finished(row.index, Decoded(tuple(row.produced), reason, row.first_token_s, seconds))


def _length(row: Row) -> int:
    return len(row.own)


def sample(logits: Tensor, temperature: float, uniform: Tensor, top_p: float = 1.0) -> Tensor:
    """Sample one id per row (n,) from logits (n, V): invert the cumulative distribution at `uniform` (n,) in [0, 1).

    At or near temperature 0, take the likeliest id. With `top_p` below 1, sample only from the fewest likeliest ids
    whose mass reaches it (nucleus sampling, arXiv 1904.09751). One number per row makes a sample independent of the
    other rows. Raises `NoProbabilities` for logits that are not finite.
    """
    if temperature < _COLDEST:
        largest, ids = logits.max(dim=-1)
        if not largest.isfinite().all():
            raise NoProbabilities
        return ids
    probabilities = torch.softmax(logits / temperature, dim=-1)
    if top_p < 1:
        ordered, ids = probabilities.sort(dim=-1, descending=True, stable=True)
        # The likeliest id always stays, even if `top_p` is too small for these floats.
        beyond = ordered.cumsum(dim=-1) - ordered >= max(top_p, torch.finfo(ordered.dtype).tiny)
        probabilities = probabilities.scatter(-1, ids, ordered.masked_fill(beyond, 0.0))
    cumulative = probabilities.cumsum(dim=-1)
    total = cumulative[:, -1:]
    if not total.isfinite().all():
        raise NoProbabilities
    # Rounding may leave the total slightly off 1: the number is scaled to it and kept below it, so that no sample falls
    # past the end or on an id without mass.
    target = (uniform.to(cumulative.dtype)[:, None] * total).minimum(total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(cumulative, target, right=True)[:, 0]

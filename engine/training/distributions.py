"""Top-k distributions of many tokens as three arrays, scored by all processes of a run and gathered on the first.

Knows nothing of files.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from engine.model.load import adapter_off
from engine.model.local_model import LocalModel
from engine.model.memory import halve_until_it_fits, within_memory
from engine.model.prompt_cache import PromptCache
from engine.model.score import BATCH_TOKENS, ScoreRow, TopK, score
from engine.training.costs import id_bytes
from engine.training.ranks import Ranks

_ROWS_A_PASS = 64  # scored between two calls of `on_rows`


@dataclass(frozen=True, slots=True, eq=False)
class Distributions:
    """For each of T tokens the k most likely ids, their log-probabilities, and the log of the remaining mass."""

    ids: npt.NDArray[np.uint16] | npt.NDArray[np.int32]  # (T, k)
    logprobs: npt.NDArray[np.float16]  # (T, k)
    tail: npt.NDArray[np.float16]  # (T,)

    @classmethod
    def zeros(cls, tokens: int, k: int, vocabulary: int) -> "Distributions":
        """Allocate arrays for `tokens` tokens; ids take 16 bits if the vocabulary allows it."""
        logprobs, tail = np.zeros((tokens, k), dtype=np.float16), np.zeros(tokens, dtype=np.float16)
        if id_bytes(vocabulary) == np.dtype(np.uint16).itemsize:
            return cls(np.zeros((tokens, k), dtype=np.uint16), logprobs, tail)
        return cls(np.zeros((tokens, k), dtype=np.int32), logprobs, tail)

    @property
    def arrays(self) -> tuple[npt.NDArray[np.generic], ...]:
        return self.ids, self.logprobs, self.tail

    @property
    def sha256(self) -> str:
        """The hash of dtypes, shapes and values."""
        digest = hashlib.sha256()
        for array in self.arrays:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def __getitem__(self, where: slice) -> "Distributions":
        return Distributions(self.ids[where], self.logprobs[where], self.tail[where])

    def fill(self, start: int, found: "Distributions") -> None:
        """Copy `found` into the arrays, from token `start` on."""
        for array, piece in zip(self.arrays, found.arrays, strict=True):
            array[start : start + len(piece)] = piece

    def put(self, found: Sequence[TopK]) -> None:
        """Copy the scores of all tokens into the arrays, in order."""
        self.ids[:] = torch.cat([one.ids for one in found]).numpy()
        self.logprobs[:] = torch.cat([one.logprobs for one in found]).numpy()
        self.tail[:] = torch.cat([one.tail for one in found]).numpy()


def score_shared(
    ranks: Ranks,
    local: LocalModel,
    rows: Sequence[ScoreRow],
    prefix_ids: Sequence[int],
    k: int,
    on_rows: Callable[[int, int], None],
) -> Distributions | None:
    """Score every completion token of `rows` with the base without its adapter, one row after another.

    Each rank scores whole passes, the same ones that a single process would make, so the numbers are those of a single
    process. The first rank gets all of them, the others None. `on_rows(done, total)` may raise to cancel. If memory
    runs out, passes read fewer rows at once from then on; raises `ModelError` if even one row is too much.
    """
    lengths = [len(row.completion_ids) for row in rows]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(int).tolist()
    # Rows of similar length are scored together, to keep padding low.
    order = sorted(range(len(rows)), key=lambda place: len(rows[place].context_ids) + lengths[place])
    passes = [order[begin : begin + _ROWS_A_PASS] for begin in range(0, len(order), _ROWS_A_PASS)]
    vocabulary = local.base.get_input_embeddings().num_embeddings

    def room_for(part: Sequence[int]) -> Distributions:
        return Distributions.zeros(sum(lengths[place] for place in part), k, vocabulary)

    own: list[Distributions] = []
    at_once, prefix = BATCH_TOKENS, None

    def find(part: Sequence[int], tokens: int) -> list[TopK]:
        nonlocal at_once
        at_once = tokens
        return score(local, [rows[place] for place in part], prefix=prefix, k=k, batch_tokens=tokens)

    advice = "Close other programs, choose a smaller base model, or shorten the prompt."
    with ranks.together(), within_memory(advice, "The teacher's distributions"), adapter_off(local):
        mine = ranks.share(passes)
        prefix = PromptCache.build(local, prefix_ids) if mine else None
        done = 0
        for part in mine:
            own.append(room_for(part))
            own[-1].put(halve_until_it_fits(partial(find, part), at_once))
            done += len(part) * ranks.size
            on_rows(min(done, len(rows)), len(rows))
    if not ranks.leads:
        for found in own:
            ranks.send(found.arrays, 0)
        return None
    whole = Distributions.zeros(starts[-1], k, vocabulary)
    for rank in range(ranks.size):
        for part in passes[rank :: ranks.size]:
            found = own.pop(0) if rank == 0 else room_for(part)
            if rank > 0:
                ranks.receive(found.arrays, rank)
            at = 0
            for place in part:
                whole.fill(starts[place], found[at : at + lengths[place]])
                at += lengths[place]
    return whole

"""The teacher's top-k distributions on disk: computed once, memory-mapped, reused in every epoch and every run.

One safetensors file: the tokens of all rows one after another, ids in 16 bits if the vocabulary allows it, and
log-probabilities in half precision. Its metadata holds the key of what it was made from and a hash of its content;
a file with another key or content is never used. Knows nothing of losses.
"""

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from engine.model.local_model import LocalModel
from engine.model.score import ScoreRow
from engine.paths import make_private_folder, write_atomically
from engine.records.dataset import DatasetPrompt, DatasetRow, RowKey
from engine.training.distributions import Distributions, score_shared
from engine.training.losses import TeacherTopK
from engine.training.prompted import Prompted, by_prompt
from engine.training.ranks import ALONE, Ranks

_FORMAT = "1"
_IDS, _LOGPROBS, _TAIL = "ids", "logprobs", "tail"


@dataclass(frozen=True, slots=True, eq=False)
class TeacherCache:
    """Top-k log-probabilities of the rows of one dataset; rows without a teacher distribution take no space."""

    path: Path
    seconds: float  # time that it took to compute
    _starts: Mapping[RowKey, tuple[int, int]]  # example → its tokens in the file
    distributions: Distributions
    reused: bool = False  # computed earlier, by this run or another: `seconds` is the time it took then

    @property
    def bytes_per_token(self) -> float:
        """Bytes per token on disk; 0 without tokens."""
        tokens = len(self.distributions.tail)
        return sum(array.nbytes for array in self.distributions.arrays) / tokens if tokens else 0.0

    @property
    def words(self) -> str:
        """Its size, and whether it was reused, as a sentence."""
        before = f" Reused from the cache; the {self.seconds:.0f} s that they took count towards this run too."
        return (
            f"The teacher's distributions: {len(self.distributions.tail):,} tokens, {self.bytes_per_token:.0f} bytes "
            f"each (the {self.k} most likely and the rest).{before if self.reused else ''}"
        )

    @property
    def k(self) -> int:
        return int(self.distributions.ids.shape[1])

    @classmethod
    def build(
        cls,
        local: LocalModel,
        rows: Sequence[DatasetRow],
        dataset_prompts: Sequence[DatasetPrompt],
        k: int,
        folder: Path,
        *,
        on_rows: Callable[[int, int], None] = lambda _done, _total: None,
        ranks: Ranks = ALONE,
    ) -> "TeacherCache":
        """Open the cache of these rows in `folder`, or compute it with the prompted base and store it there.

        `dataset_prompts` holds the prompts and their questions. Only completion tokens before `edited_from` have a
        teacher distribution. `on_rows(done, total)` is called after each pass, and may raise to cancel: then nothing is
        stored.
        The `ranks` share the rows, and each has the whole cache afterwards: from the first one's disk, or, on a machine
        that does not see that disk, sent to its own.
        """
        key = cache_key(local, rows, dataset_prompts, k)
        file = _File(folder / f"teacher-{key[:16]}.safetensors", key, rows)
        with ranks.together():
            opened = cls._open(file)
        started = time.monotonic()
        vocabulary = local.base.get_input_embeddings().num_embeddings
        k = min(k, vocabulary)
        if not ranks.first_decides(lambda: opened is not None):
            whole = Distributions.zeros(file.tokens, k, vocabulary)
            _score(ranks, local, file, Prompted(local.format, dataset_prompts), whole, on_rows)
            with ranks.together():
                if ranks.leads:
                    opened = cls._keep(file, whole, time.monotonic() - started)
        return cls._everywhere(ranks, file, opened, lambda: Distributions.zeros(file.tokens, k, vocabulary))

    @classmethod
    def _everywhere(
        cls, ranks: Ranks, file: "_File", opened: "TeacherCache | None", room: Callable[[], Distributions]
    ) -> "TeacherCache":
        """Return the first rank's cache on every rank: sent once to each machine that does not see its disk."""
        for first_of_each_machine in (True, False):
            with ranks.together():
                opened = opened if opened is not None else cls._open(file)
            lacks, sent = opened is None and (ranks.place == 0 or not first_of_each_machine), None
            for rank in ranks.which(lacks):
                if opened is not None and ranks.leads:
                    ranks.send(opened.distributions.arrays, rank)
                elif rank == ranks.rank:
                    sent = room()
                    ranks.receive(sent.arrays, 0)
            with ranks.together():
                if sent is not None:
                    opened = cls._keep(file, sent, 0.0)
        if opened is None:
            raise ValueError("a rank was left without the teacher's distributions")
        return opened

    @classmethod
    def _keep(cls, file: "_File", made: Distributions, seconds: float) -> "TeacherCache":
        metadata = {"format": _FORMAT, "key": file.key, "sha256": made.sha256, "seconds": str(seconds)}
        make_private_folder(file.path.parent)
        write_atomically(file.path, save({_IDS: made.ids, _LOGPROBS: made.logprobs, _TAIL: made.tail}, metadata))
        return cls(file.path, seconds, file.starts, made)

    @classmethod
    def _open(cls, file: "_File") -> "TeacherCache | None":
        """Return the cache if the file is intact and was made from the same inputs, else None: it can be recomputed."""
        if not file.path.is_file():
            return None
        try:
            # As torch tensors the arrays stay in the mapped file: pages are read when a batch needs them.
            with safe_open(file.path, framework="pt") as opened:
                metadata: dict[str, str] = opened.metadata() or {}
                if metadata.get("format") != _FORMAT or metadata.get("key") != file.key:
                    return None
                held = Distributions(*(opened.get_tensor(name).numpy() for name in (_IDS, _LOGPROBS, _TAIL)))
        except (OSError, ValueError, SafetensorError):
            return None
        if held.sha256 != metadata.get("sha256"):
            return None
        return cls(file.path, float(metadata["seconds"]), file.starts, held, reused=True)

    def gather(self, rows: Sequence[DatasetRow]) -> TeacherTopK:
        """Return the distributions at all completion tokens of `rows` in order, (N, k) and (N,).

        Where the teacher has none (from `edited_from` on), the values are meaningless and must carry no KL weight.
        """
        count = sum(len(row.completion_ids) for row in rows)
        ids = np.zeros((count, self.k), dtype=np.int64)
        logprobs = np.zeros((count, self.k), dtype=np.float32)
        tail = np.zeros(count, dtype=np.float32)
        at = 0
        for row in rows:
            if row.edited_from > 0:
                start, end = self._starts[row.example_key]
                here = slice(at, at + row.edited_from)
                ids[here], logprobs[here], tail[here] = self.distributions[start:end].arrays
            at += len(row.completion_ids)
        return TeacherTopK(torch.from_numpy(ids), torch.from_numpy(logprobs), torch.from_numpy(tail))


def cache_key(local: LocalModel, rows: Sequence[DatasetRow], dataset_prompts: Sequence[DatasetPrompt], k: int) -> str:
    """Return the hash of everything that the distributions depend on: weights, dtype, prompts, template, rows and k."""
    digest = hashlib.sha256()
    weights = sorted(local.folder.glob("*.safetensors"))
    prompted = Prompted(local.format, dataset_prompts)
    prompts = [(each.prompt.sha256, prompted.prefix_ids(index, rows)) for index, each in enumerate(dataset_prompts)]
    facts = {
        "format": _FORMAT,
        "weights": [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in weights],
        "folder": str(local.folder),
        "dtype": str(local.dtype),
        "prompt": prompts[0][0],
        "prefix": prompts[0][1],
        "k": k,
        **({"base": "nf4"} if local.quantized else {}),
        **({"others": prompts[1:]} if prompts[1:] else {}),
    }
    digest.update(json.dumps(facts).encode())
    for row in rows:
        whose = f"{row.prompt_index} " if row.prompt_index else ""
        digest.update(f"\n{row.example_id} {row.question_id} {row.edited_from} {whose}".encode())
        digest.update(np.asarray((*row.question_ids, -1, *row.completion_ids), dtype=np.int64).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _File:
    """Where the distributions of some rows are stored, and under which key."""

    path: Path
    key: str
    rows: Sequence[DatasetRow]

    @property
    def held(self) -> list[DatasetRow]:
        """The rows that have distributions."""
        return [row for row in self.rows if row.edited_from > 0]

    @property
    def tokens(self) -> int:
        return sum(row.edited_from for row in self.held)

    @property
    def starts(self) -> dict[RowKey, tuple[int, int]]:
        """The (start, end) of each example's tokens in the file."""
        ends = list(itertools.accumulate(row.edited_from for row in self.held))
        return {row.example_key: (end - row.edited_from, end) for row, end in zip(self.held, ends, strict=True)}


def _score(
    ranks: Ranks,
    local: LocalModel,
    file: _File,
    prompted: Prompted,
    whole: Distributions,
    on_rows: Callable[[int, int], None],
) -> None:
    """Fill `whole` on the first rank; the rows of one prompt are scored together, with one copy of it in memory."""
    held, starts, k = file.held, file.starts, whole.ids.shape[1]
    behind = 0  # rows of the prompts done so far

    def tell(done: int, _of: int) -> None:
        on_rows(behind + done, len(held))

    for prompt_index, places in by_prompt(held).items():
        part = [held[place] for place in places]
        asked = [ScoreRow(prompted.ids(row), row.completion_ids[: row.edited_from]) for row in part]
        found = score_shared(ranks, local, asked, prompted.prefix_ids(prompt_index, file.rows), k, tell)
        behind += len(part)
        if found is None:
            continue
        at = 0
        for row in part:
            start, end = starts[row.example_key]
            whole.fill(start, found[at : at + end - start])
            at += end - start

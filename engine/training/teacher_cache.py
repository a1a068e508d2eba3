"""The teacher's top-k distributions on disk: computed once, memory-mapped, reused in every epoch and every run.

One safetensors file: the tokens of all rows one after another, ids in 16 bits where the vocabulary fits, and
log-probabilities in half precision. Its metadata holds the key of what it was made from and a hash of its content;
a file of another key or content is never used. Knows nothing of losses.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from engine.model.load import LocalModel, adapter_off
from engine.model.prompt_cache import PromptCache
from engine.model.score import ScoreRow, score
from engine.paths import make_private_folder, write_atomically
from engine.records.dataset import DatasetRow
from engine.records.prompt import Message, Prompt
from engine.training.losses import TeacherTopK

_FORMAT = "1"
_IDS, _LOGPROBS, _TAIL = "ids", "logprobs", "tail"
_ROWS_A_PASS = 64  # scored between two calls of `rest`


@dataclass(frozen=True, slots=True, eq=False)
class TeacherCache:
    """Top-k log-probabilities of the rows of one dataset; rows without a teacher distribution take no space."""

    path: Path
    k: int
    seconds: float  # that it took to compute
    _starts: Mapping[int, tuple[int, int]]  # example id → its tokens in the file
    _ids: npt.NDArray[np.uint16] | npt.NDArray[np.int32]  # (T, k)
    _logprobs: npt.NDArray[np.float16]  # (T, k)
    _tail: npt.NDArray[np.float16]  # (T,)

    @classmethod
    def build(
        cls,
        local: LocalModel,
        rows: Sequence[DatasetRow],
        messages: Mapping[int, Sequence[Message]],
        prompt: Prompt,
        k: int,
        folder: Path,
        *,
        on_rows: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> "TeacherCache":
        """Open the cache of these rows in `folder`, or compute it with the base behind the prompt and keep it there.

        `messages` holds every question by its id. Only completion tokens before `edited_from` have a teacher
        distribution. `on_rows(done, total)` is called after each pass and may raise to give up; nothing is kept then.
        """
        single_turn = all(len(messages[row.question_id]) == 1 for row in rows)
        key = cache_key(local, rows, prompt, k, single_turn=single_turn)
        path = folder / f"teacher-{key[:16]}.safetensors"
        opened = cls._open(path, key, rows)
        if opened is not None:
            return opened
        started = time.monotonic()
        held = [row for row in rows if row.edited_from > 0]
        tokens = sum(row.edited_from for row in held)
        k = min(k, local.base.get_input_embeddings().num_embeddings)
        small = local.base.get_input_embeddings().num_embeddings <= 1 << 16
        ids = np.zeros((tokens, k), dtype=np.uint16 if small else np.int32)
        logprobs = np.zeros((tokens, k), dtype=np.float16)
        tail = np.zeros(tokens, dtype=np.float16)
        starts = _starts(held)
        with adapter_off(local):
            shared = local.format.prompt_prefix_ids(prompt, single_turn=single_turn)
            prefix = PromptCache.build(local, shared) if held else None
            # Rows of like length stand together, so that a pass pads little.
            order = sorted(held, key=lambda row: len(row.question_ids) + row.edited_from)
            for begin in range(0, len(order), _ROWS_A_PASS):
                part = order[begin : begin + _ROWS_A_PASS]
                asked = [
                    ScoreRow(
                        local.format.prompted_ids(prompt, messages[row.question_id]),
                        row.completion_ids[: row.edited_from],
                    )
                    for row in part
                ]
                for row, found in zip(part, score(local, asked, prefix=prefix, k=k), strict=True):
                    start, end = starts[row.example_id]
                    ids[start:end] = found.ids.numpy()
                    logprobs[start:end] = found.logprobs.numpy()
                    tail[start:end] = found.tail.numpy()
                on_rows(begin + len(part), len(order))
        metadata = {
            "format": _FORMAT,
            "key": key,
            "sha256": _content_sha256(ids, logprobs, tail),
            "seconds": str(time.monotonic() - started),
        }
        make_private_folder(folder)
        write_atomically(path, save({_IDS: ids, _LOGPROBS: logprobs, _TAIL: tail}, metadata))
        return cls(path, k, float(metadata["seconds"]), starts, ids, logprobs, tail)

    @classmethod
    def _open(cls, path: Path, key: str, rows: Sequence[DatasetRow]) -> "TeacherCache | None":
        """The file if it is whole and was made from the same things, else None: it can be computed again."""
        if not path.is_file():
            return None
        try:
            # As torch tensors they stay in the mapped file: pages are read when a batch needs them.
            with safe_open(path, framework="pt") as file:
                metadata: dict[str, str] = file.metadata() or {}
                if metadata.get("format") != _FORMAT or metadata.get("key") != key:
                    return None
                ids, logprobs, tail = (file.get_tensor(name).numpy() for name in (_IDS, _LOGPROBS, _TAIL))
        except (OSError, ValueError, SafetensorError):
            return None
        if _content_sha256(ids, logprobs, tail) != metadata.get("sha256"):
            return None
        held = [row for row in rows if row.edited_from > 0]
        return cls(path, ids.shape[1], float(metadata["seconds"]), _starts(held), ids, logprobs, tail)

    def gather(self, rows: Sequence[DatasetRow]) -> TeacherTopK:
        """The distributions at all completion tokens of `rows` in order, (N, k) and (N,).

        Where the teacher has none (from `edited_from` on) the values mean nothing and must carry no KL weight.
        """
        count = sum(len(row.completion_ids) for row in rows)
        ids = np.zeros((count, self.k), dtype=np.int64)
        logprobs = np.zeros((count, self.k), dtype=np.float32)
        tail = np.zeros(count, dtype=np.float32)
        at = 0
        for row in rows:
            if row.edited_from > 0:
                start, end = self._starts[row.example_id]
                here = slice(at, at + row.edited_from)
                ids[here], logprobs[here], tail[here] = (
                    self._ids[start:end],
                    self._logprobs[start:end],
                    self._tail[start:end],
                )
            at += len(row.completion_ids)
        return TeacherTopK(torch.from_numpy(ids), torch.from_numpy(logprobs), torch.from_numpy(tail))


def cache_key(
    local: LocalModel, rows: Sequence[DatasetRow], prompt: Prompt, k: int, *, single_turn: bool = False
) -> str:
    """The hash of everything that the distributions depend on: weights, dtype, prompt, template, rows and k."""
    digest = hashlib.sha256()
    weights = sorted(local.folder.glob("*.safetensors"))
    facts = {
        "format": _FORMAT,
        "weights": [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in weights],
        "folder": str(local.folder),
        "dtype": str(local.dtype),
        "prompt": prompt.sha256,
        "prefix": local.format.prompt_prefix_ids(prompt, single_turn=single_turn),
        "k": k,
        **({"base": "nf4"} if local.quantized else {}),
    }
    digest.update(json.dumps(facts).encode())
    for row in rows:
        digest.update(f"\n{row.example_id} {row.question_id} {row.edited_from} ".encode())
        digest.update(np.asarray((*row.question_ids, -1, *row.completion_ids), dtype=np.int64).tobytes())
    return digest.hexdigest()


def _starts(held: Sequence[DatasetRow]) -> dict[int, tuple[int, int]]:
    starts: dict[int, tuple[int, int]] = {}
    at = 0
    for row in held:
        starts[row.example_id] = (at, at + row.edited_from)
        at += row.edited_from
    return starts


def _content_sha256(*arrays: npt.NDArray[np.generic]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()

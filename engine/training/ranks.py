"""The communication between the processes of one run; everything that they exchange goes through here.

Each process, a rank, holds the whole adapter and computes its share of every step's rows. (It also holds the whole
base, unless its layers are sharded: `sharding`.) A step's loss is divided by the completion tokens of all its rows,
wherever they are computed, so the gradients of the ranks only have to be summed: once per step, as one vector. (torch's
DistributedDataParallel averages instead, and needs to own the whole forward pass; ours ends below the output head.)
Every rank then makes the same optimizer step.

What a rank does by itself is inside `together`, which all ranks leave in the same way; nothing is exchanged within it.
Disk and user requests are handled by the first rank, which informs the others. Knows nothing of how the processes were
started.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from traceback import clear_frames
from types import TracebackType
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from engine.errors import TrainingError
from engine.gpus import count_as_the_driver
from engine.model.memory import is_out_of_memory
from engine.paths import PRIVATE_FILE_MODE
from engine.store.dataclass_json import decode_all, encode_all

# A paused run waits within an exchange. A rank that dies closes its connections, which ends the others' wait at once.
_PATIENCE = timedelta(days=30)
_LOOKS_EVERY_S = 0.05
_FINE, _NO_MEMORY, _ENDED = range(3)

Item = TypeVar("Item")
Made = TypeVar("Made")
Word = TypeVar("Word")


class RankLost(TrainingError):
    """Another rank disappeared without reporting an error."""


class EndedElsewhere(TrainingError):
    """Another rank ended the run, and reports the reason."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process's place among those of the run, `rank` of `size`; alone, every exchange returns its input."""

    rank: int = 0
    size: int = 1
    place: int = 0  # among the `neighbours` on this machine, itself included
    neighbours: int = 1
    # What a rank does after its own part within `together`, until all ranks are done.
    meet: Callable[[], None] = field(default=_nothing, compare=False, repr=False)

    @property
    def leads(self) -> bool:
        """Whether this rank handles disk, store and the user's requests."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return this rank's part of `items`; if they are sorted by length, all parts are about as long."""
        return items if self.size == 1 else items[self.rank :: self.size]

    def together(self) -> AbstractContextManager[None]:
        """While inside, each rank works by itself; afterwards all continue, or none does.

        If one ran out of memory, all raise an error that `is_out_of_memory` recognises; if one raised anything else,
        the others raise `EndedElsewhere`.
        """
        return nullcontext() if self.size == 1 else _Together(self)

    def after_the_first(self, make: Callable[[], Made]) -> Made:
        """Return the result of `make`, called on the first rank before the others, which can use its files on disk."""
        with self.together():
            made = make() if self.leads else None
        with self.together():
            return made if made is not None else make()

    def first_decides(self, decide: Callable[[], bool]) -> bool:
        """Return the first rank's decision; `decide` is called only there."""
        return bool(self.sum([float(self.leads and decide())])[0])

    def broadcast_count(self, count: int) -> int:
        """Return the first rank's `count`."""
        return int(self.sum([float(count if self.leads else 0)])[0])

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return each of `values` summed over the ranks, in double precision."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        self._exchange(lambda: dist.all_reduce(total))
        return [float(value) for value in total]

    def highest(self, value: int) -> int:
        """Return the highest value of all ranks."""
        found = torch.tensor([value])
        self._exchange(lambda: dist.all_reduce(found, dist.ReduceOp.MAX))
        return int(found)

    def all_gather(self, whole: Tensor, part: Tensor) -> None:
        """Fill `whole` (size · n,) with the parts (n,) of all ranks, in order."""
        self._exchange(lambda: dist.all_gather_into_tensor(whole, part))

    def flat_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> Tensor:
        """Return this rank's gradients as one vector, for `sum_gradients`; a parameter without one counts as zeros.

        The vector takes memory, so it is made within `together`. For a single rank it is empty: nothing is summed.
        """
        if self.size == 1:
            return torch.empty(0)
        own = (torch.zeros_like(one) if one.grad is None else one.grad for one in parameters)
        return torch.cat([gradient.reshape(-1) for gradient in own])

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter], flat: Tensor) -> None:
        """Give every rank the sum of all ranks' gradients; `flat` holds its own."""
        if self.size == 1:
            return
        self._exchange(lambda: dist.all_reduce(flat))
        for one, part in zip(parameters, flat.split([one.numel() for one in parameters]), strict=True):
            one.grad = part.view_as(one)

    @torch.no_grad()
    def spread(self, tensors: Sequence[Tensor]) -> None:
        """Copy the first rank's values into every rank's `tensors`, which have the same shapes everywhere."""
        if self.size > 1:
            for tensor in tensors:
                self._exchange(lambda here=tensor: dist.broadcast(here, 0))  # type: ignore[misc]

    def broadcast(self, kind: type[Word], word: Word | None) -> Word:
        """Return the first rank's `word` on every rank; those of the others are ignored."""
        if self.size == 1 and word is not None:
            return word
        gathered: list[Word] = self.gather(kind, [word] if self.leads and word is not None else [])
        return gathered[0]

    def gather(self, kind: type[Word], words: Sequence[Word]) -> list[Word]:
        """Return the words of all ranks, in the order that the items had before `share`."""
        if self.size == 1:
            return list(words)
        parts = [decode_all(kind, text) for text in self._gather_texts(encode_all(words))]
        most = max(map(len, parts))
        return [part[place] for place in range(most) for part in parts if place < len(part)]

    def which(self, flag: bool) -> tuple[int, ...]:
        """Return the ranks whose `flag` is set."""
        flags = self.sum([float(flag and rank == self.rank) for rank in range(self.size)])
        return tuple(rank for rank, found in enumerate(flags) if found)

    def send(self, arrays: Sequence[npt.NDArray[np.generic]], to: int) -> None:
        """Send arrays to another rank, which has to receive the same dtypes and shapes."""
        for array in arrays:
            if array.size:
                own = np.array(array)  # torch cannot use the memory of a mapped file
                self._exchange(lambda here=own: dist.send(_bytes_of(here), to))  # type: ignore[misc]

    def receive(self, arrays: Sequence[npt.NDArray[np.generic]], source: int) -> None:
        """Fill `arrays`, each contiguous, with what another rank sends."""
        for array in arrays:
            if array.size:
                self._exchange(lambda here=array: dist.recv(_bytes_of(here), source))  # type: ignore[misc]

    def _gather_texts(self, text: str) -> list[str]:
        own = torch.from_numpy(np.array(bytearray(text.encode()), dtype=np.uint8))
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        self._exchange(lambda: dist.all_gather(lengths, torch.tensor([len(own)])))
        padded = torch.zeros(max(map(int, lengths)), dtype=torch.uint8)
        padded[: len(own)] = own
        texts = [torch.zeros_like(padded) for _ in lengths]
        self._exchange(lambda: dist.all_gather(texts, padded))
        return [bytes(found[: int(length)].numpy()).decode() for found, length in zip(texts, lengths, strict=True)]

    def vote(self, fault: int, reason: str) -> tuple[int, str]:
        """Return the worst fault of all ranks and, if it ended any, the reasons of those."""
        worst = self.highest(fault)
        if worst < _ENDED:
            return worst, ""
        reasons = self._gather_texts(reason if fault == _ENDED else "")
        sentences = (
            f"Process {rank + 1} of {self.size}: {text.rstrip('.')}." for rank, text in enumerate(reasons) if text
        )
        return _ENDED, " ".join(sentences)

    def _exchange(self, exchange: Callable[[], object]) -> None:
        try:
            exchange()
        except RuntimeError as error:
            raise RankLost(
                "A process of the run was lost.",
                f"Process {self.rank + 1} of {self.size} lost the connection: {_first_line(error)}",
                "See the end of the job's log for the reason, then resume the job: it continues from a checkpoint.",
            ) from error


ALONE = Ranks()


@contextmanager
def connected(
    ranks: Ranks, folder: Path | None = None, while_waiting: Callable[[], None] = lambda: None
) -> Iterator[Ranks]:
    """Yield `ranks`, connected while inside: they meet in the same new `folder`, or as torchrun's environment says.

    `while_waiting` may raise to cancel before all are there. Raises `TrainingError` if they cannot connect.
    """
    count_as_the_driver()  # before any call to CUDA
    # Messages use gloo whatever the device: waiting then takes neither CPU nor GPU time.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    try:
        where = "env://" if folder is None else _wait_for_all(folder, ranks, while_waiting)
        dist.init_process_group(backend, where, rank=ranks.rank, world_size=ranks.size, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            "The processes of the run cannot connect to each other.",
            f"Process {ranks.rank + 1} of {ranks.size}: {_first_line(error)}",
            "Check the launch command and the network between the machines, then start it again.",
        ) from error
    try:
        yield ranks
    finally:
        dist.destroy_process_group()


class _Together:
    """The context of `Ranks.together`."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, RankLost) or (error is not None and not isinstance(error, Exception)):
            return  # this process ends now, and its closed connections inform the others
        clear_frames(at)  # their tensors are no longer needed, and the work of the others may need the memory
        self._ranks.meet()
        fault = _FINE if error is None else _NO_MEMORY if is_out_of_memory(error) else _ENDED
        worst, reasons = self._ranks.vote(fault, str(error) or type(error).__name__)
        if worst == _ENDED and fault != _ENDED:
            raise EndedElsewhere(
                "Another process ended the run.", reasons, "Resume the job: it continues from its last checkpoint."
            )
        if worst == _NO_MEMORY and error is None:
            raise MemoryError("another process of the run ran out of memory")


def _wait_for_all(folder: Path, ranks: Ranks, while_waiting: Callable[[], None]) -> str:
    """Wait until every rank has arrived in `folder`; return the URL to connect to."""
    (folder / f"rank-{ranks.rank}").touch(mode=PRIVATE_FILE_MODE)
    while not all((folder / f"rank-{other}").exists() for other in range(ranks.size)):
        while_waiting()
        time.sleep(_LOOKS_EVERY_S)
    return (folder / "connections").absolute().as_uri()


def _bytes_of(array: npt.NDArray[np.generic]) -> Tensor:
    """Return the same memory as plain bytes: torch cannot send every dtype."""
    return torch.from_numpy(array.reshape(-1).view(np.uint8))


def _first_line(error: BaseException) -> str:
    """Return the first line of the error, without torch's source location before it and its advice after it."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"^\[[^]]*\.cc:\d+\] ", "", line).split(" This is typically")[0]

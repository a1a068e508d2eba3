"""What the processes of one run say to each other; all that is exchanged goes through here.

Each process, a rank, holds the adapter whole and computes its share of every step's rows. (The base too, unless its
layers are shared: `sharding`.) A step's loss is divided
by the completion tokens of all its rows, wherever they are computed, so the gradients of the ranks need only be summed:
once a step, as one vector. (torch's DistributedDataParallel averages instead, and wants the whole forward pass to
itself; ours ends below the output head.) Any rank then makes the same optimizer step.

What a rank does by itself stands in `together`, which all leave in the same way; nothing is exchanged within it. What
the disk and the person decide is the first rank's business, and told to the others. Knows nothing of how the processes
were started.
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
from engine.store.words_json import decode_all, encode_all

# A paused run waits within an exchange. A rank that dies closes its connections, which ends the others' at once.
_PATIENCE = timedelta(days=30)
_LOOKS_EVERY_S = 0.05
_FINE, _NO_MEMORY, _ENDED = range(3)

Item = TypeVar("Item")
Made = TypeVar("Made")
Word = TypeVar("Word")


class RankLost(TrainingError):
    """Another rank is gone without a word."""


class EndedElsewhere(TrainingError):
    """Another rank ended the run; the reason is its own, and told there."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process's place among those of the run, `rank` of `size`; alone, every exchange gives back what it got."""

    rank: int = 0
    size: int = 1
    place: int = 0  # among the `neighbours` on this machine, itself included
    neighbours: int = 1
    # What a rank does that has done its own part within `together`, until all have.
    meet: Callable[[], None] = field(default=_nothing, compare=False, repr=False)

    @property
    def leads(self) -> bool:
        """Whether disk, store and the person's wishes are this rank's business."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This rank's part of `items`: where these are sorted by length, all parts are about as long."""
        return items if self.size == 1 else items[self.rank :: self.size]

    def together(self) -> AbstractContextManager[None]:
        """While inside, each rank works by itself; then all go on, or none does.

        Where memory did not suffice on one, all raise what `is_out_of_memory` knows; where one raised anything else,
        the others raise `EndedElsewhere`.
        """
        return nullcontext() if self.size == 1 else _Together(self)

    def after_the_first(self, make: Callable[[], Made]) -> Made:
        """What `make` makes, here after the first rank: what it leaves on disk there, the others can find."""
        with self.together():
            made = make() if self.leads else None
        with self.together():
            return made if made is not None else make()

    def first_decides(self, decide: Callable[[], bool]) -> bool:
        """What the first rank found; `decide` is asked there alone."""
        return bool(self.sum([float(self.leads and decide())])[0])

    def firsts(self, count: int) -> int:
        """The first rank's `count`."""
        return int(self.sum([float(count if self.leads else 0)])[0])

    def sum(self, values: Sequence[float]) -> list[float]:
        """Each of `values` summed over the ranks, in double precision."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        self._exchange(lambda: dist.all_reduce(total))
        return [float(value) for value in total]

    def highest(self, value: int) -> int:
        """The highest of all ranks' values."""
        found = torch.tensor([value])
        self._exchange(lambda: dist.all_reduce(found, dist.ReduceOp.MAX))
        return int(found)

    def put_together(self, whole: Tensor, part: Tensor) -> None:
        """Fill `whole` (size · n,) with the parts (n,) of all ranks, in their order."""
        self._exchange(lambda: dist.all_gather_into_tensor(whole, part))

    def flat_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> Tensor:
        """This rank's gradients as one vector, for `sum_gradients`; a parameter without one counts as zeros.

        It takes room, so it is made within `together`. Alone it is empty: nothing has to be summed.
        """
        if self.size == 1:
            return torch.empty(0)
        own = (torch.zeros_like(one) if one.grad is None else one.grad for one in parameters)
        return torch.cat([gradient.reshape(-1) for gradient in own])

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter], flat: Tensor) -> None:
        """Give every rank the sum of all ranks' gradients, of which `flat` holds its own."""
        if self.size == 1:
            return
        self._exchange(lambda: dist.all_reduce(flat))
        for one, part in zip(parameters, flat.split([one.numel() for one in parameters]), strict=True):
            one.grad = part.view_as(one)

    @torch.no_grad()
    def spread(self, tensors: Sequence[Tensor]) -> None:
        """Put the first rank's values into every rank's `tensors`, which are of the same shapes everywhere."""
        if self.size > 1:
            for tensor in tensors:
                self._exchange(lambda here=tensor: dist.broadcast(here, 0))  # type: ignore[misc]

    def first_says(self, kind: type[Word], word: Word | None) -> Word:
        """The first rank's `word`; those of the others do not count."""
        if self.size == 1 and word is not None:
            return word
        said: list[Word] = self.gather(kind, [word] if self.leads and word is not None else [])
        return said[0]

    def gather(self, kind: type[Word], words: Sequence[Word]) -> list[Word]:
        """The words of all ranks, so ordered that those of `share` stand where the whole had stood."""
        if self.size == 1:
            return list(words)
        parts = [decode_all(kind, text) for text in self._gather_texts(encode_all(words))]
        most = max(map(len, parts))
        return [part[place] for place in range(most) for part in parts if place < len(part)]

    def which(self, flag: bool) -> tuple[int, ...]:
        """The ranks whose `flag` is set."""
        flags = self.sum([float(flag and rank == self.rank) for rank in range(self.size)])
        return tuple(rank for rank, found in enumerate(flags) if found)

    def send(self, arrays: Sequence[npt.NDArray[np.generic]], to: int) -> None:
        """Send numbers to another rank, which waits for arrays of these types and shapes."""
        for array in arrays:
            if array.size:
                own = np.array(array)  # one that lies in a file cannot be lent to torch
                self._exchange(lambda here=own: dist.send(_bytes_of(here), to))  # type: ignore[misc]

    def receive(self, arrays: Sequence[npt.NDArray[np.generic]], source: int) -> None:
        """Fill `arrays`, which lie in one piece each, with what another rank sends."""
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
        """The worst fault of all ranks, and where it ended one, the reasons of those that it ended."""
        worst = self.highest(fault)
        if worst < _ENDED:
            return worst, ""
        reasons = self._gather_texts(reason if fault == _ENDED else "")
        told = (f"Process {rank + 1} of {self.size}: {text.rstrip('.')}." for rank, text in enumerate(reasons) if text)
        return _ENDED, " ".join(told)

    def _exchange(self, exchange: Callable[[], object]) -> None:
        try:
            exchange()
        except RuntimeError as error:
            raise RankLost(
                "A process of the run is gone.",
                f"Process {self.rank + 1} of {self.size} lost it: {_first_line(error)}",
                "See the end of the job's log for the reason, then resume the job: it goes on from a checkpoint.",
            ) from error


ALONE = Ranks()


@contextmanager
def connected(
    ranks: Ranks, folder: Path | None = None, while_waiting: Callable[[], None] = lambda: None
) -> Iterator[Ranks]:
    """`ranks`, connected while inside: all come to the same new `folder`; without one, as torchrun's environment says.

    `while_waiting` may raise to give up before all are there. Raises `TrainingError` where they do not come together.
    """
    count_as_the_driver()  # before CUDA is asked anything
    # Words travel over gloo whatever the device: waiting costs no processor there, and no graphics card.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    try:
        where = "env://" if folder is None else _wait_for_all(folder, ranks, while_waiting)
        dist.init_process_group(backend, where, rank=ranks.rank, world_size=ranks.size, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            "The processes of the run do not find each other.",
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
            return  # this process ends here and now: its closed connections say so
        clear_frames(at)  # whose tensors nobody needs any more, and the others' work may need their room
        self._ranks.meet()
        fault = _FINE if error is None else _NO_MEMORY if is_out_of_memory(error) else _ENDED
        worst, reasons = self._ranks.vote(fault, str(error) or type(error).__name__)
        if worst == _ENDED and fault != _ENDED:
            raise EndedElsewhere(
                "Another process ended the run.", reasons, "Resume the job: it goes on from its last checkpoint."
            )
        if worst == _NO_MEMORY and error is None:
            raise MemoryError("it did not suffice for another process of the run")


def _wait_for_all(folder: Path, ranks: Ranks, while_waiting: Callable[[], None]) -> str:
    """Where to connect, in torch's words, once every rank has come to `folder`."""
    (folder / f"rank-{ranks.rank}").touch(mode=PRIVATE_FILE_MODE)
    while not all((folder / f"rank-{other}").exists() for other in range(ranks.size)):
        while_waiting()
        time.sleep(_LOOKS_EVERY_S)
    return (folder / "connections").absolute().as_uri()


def _bytes_of(array: npt.NDArray[np.generic]) -> Tensor:
    """The same memory as plain bytes: not every type of numbers can travel."""
    return torch.from_numpy(array.reshape(-1).view(np.uint8))


def _first_line(error: BaseException) -> str:
    """What the system said, without the place in torch's sources before it and its advice after it."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"^\[[^]]*\.cc:\d+\] ", "", line).split(" This is typically")[0]

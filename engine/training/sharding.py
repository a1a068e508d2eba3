"""A base whose decoder layers are sharded over the processes of a run: each holds a part of every layer (FSDP2).

torch's `fully_shard` gathers a layer from all parts when a pass reaches it, and frees it afterwards. The token
embeddings, the output head, the last norm and the adapter are whole on every process: the loss reads the head chunk by
chunk, and checkpoints and the optimizer stay unchanged. The base is frozen, so none of its gradients are exchanged.

A layer is gathered by all processes or by none, but their work is unequal: batches, answers that end early, prompts
that only one process reads. So before each pass, forward or backward, all processes say what they want. Backward goes
first, and a process that wants something else, or has nothing left to do, only contributes its parts in the order of
that pass. A pass that fails midway contributes the parts it still owes, so that running out of memory on one process
is reported to all as usual. Nothing else needs to know: models are called as if they were whole. Knows nothing of
steps, losses or rows.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from engine.errors import ModelError, TrainingError
from engine.model.exactness import check_exactness
from engine.model.local_model import LocalModel
from engine.model.memory import is_out_of_memory
from engine.training.ranks import Ranks


class _Pass(IntEnum):
    """What a process wants next; of several requests, the highest is granted."""

    NONE = 0
    FORWARD = 1
    BACKWARD = 2


@dataclass(frozen=True, slots=True)
class HeldBytes:
    """How much of a base one process holds between passes, and the size of the whole base; in bytes."""

    own_bytes: int
    whole_bytes: int


def held_bytes(local: LocalModel) -> HeldBytes:
    """Return the bytes of the frozen parameters; tied ones count once."""
    frozen = [parameter for parameter in local.base.parameters() if not parameter.requires_grad]
    parts = [part.to_local() if isinstance(part, DTensor) else part for part in frozen]
    return HeldBytes(*(sum(tensor.numel() * tensor.element_size() for tensor in found) for found in (parts, frozen)))


def share_layers(local: LocalModel, ranks: Ranks) -> Ranks:
    """Keep only this process's part of each layer of a base that was read whole, and check that results are unchanged.

    All ranks call it with the same base, which is changed in place. Use the returned ranks from then on: whatever each
    does by itself has to be within their `together`. Raises `ModelError` if the layers of this architecture cannot be
    sharded, `TrainingError` if this torch cannot shard any.
    """
    if not all(hasattr(FSDPModule, name) for name in ("set_custom_all_gather", "reset_iter_state")):
        raise TrainingError(
            "This version of torch cannot shard a base.",
            f"The fully_shard of torch {torch.__version__} cannot recover from a failed pass.",
            "Install the version of torch that uv.lock names, or train without --shard.",
        )
    sharing = replace(ranks, meet=_Layers(local, ranks).meet)
    with sharing.together():
        check_exactness(local)
    return sharing


class _Layer(Protocol):
    """The methods of a sharded layer or decoder that are called here."""

    def unshard(self) -> object: ...
    def reshard(self) -> None: ...
    def reset_iter_state(self) -> None: ...


class _Layers:
    """The sharded layers of one decoder on one rank, and its part in the passes of all ranks."""

    def __init__(self, local: LocalModel, ranks: Ranks) -> None:
        self._ranks = ranks
        self._owed: deque[int] = deque()  # layers whose parts the current pass still has to contribute
        decoder = local.backbone
        layers = _layers_of(local)
        inside = {parameter for layer in layers for parameter in layer.parameters()}
        outside = {parameter for parameter in local.base.parameters() if parameter not in inside}
        mesh = init_device_mesh(local.device.type, (ranks.size,))
        for index, layer in enumerate(layers):
            sharded = fully_shard(layer, mesh=mesh, reshard_after_forward=True)
            # The base class of _Parts is not exported; only the two methods are called.
            sharded.set_custom_all_gather(_Parts(self, index))  # type: ignore[arg-type]
        fully_shard(decoder, mesh=mesh, reshard_after_forward=True, ignored_params=outside)
        local.base.to(local.device)
        self._layers, self._decoder = [cast("_Layer", layer) for layer in layers], cast("_Layer", decoder)
        self._owed.extend(self._order(_Pass.FORWARD))
        with torch.no_grad():  # not in inference mode: torch reuses the tensors of the first pass for all others
            decoder(input_ids=torch.zeros((1, 1), dtype=torch.int64, device=local.device), use_cache=False)
        decoder.register_forward_pre_hook(lambda _module, _given: self._begin(_Pass.FORWARD), prepend=True)
        decoder.register_forward_hook(lambda _module, _given, found: self._await_backward(found.last_hidden_state))

    def meet(self) -> None:
        """Contribute parts until no rank wants another pass."""
        self._finish()
        while wanted := self._ranks.highest(_Pass.NONE):
            self._hand_over(self._order(wanted))

    def all_gather(self, index: int, whole: Tensor, part: Tensor) -> None:
        """Fill `whole` (size · n,) with all ranks' parts (n,) of layer `index`."""
        if not self._owed or self._owed[0] != index:
            raise ModelError(
                "The layers of this model cannot be sharded.",
                f"Layer {index} is needed out of order: the layers do not run exactly once each, in sequence.",
                "Train without --shard, or choose another model.",
            )
        self._owed.popleft()
        self._ranks.all_gather(whole, part)

    def _begin(self, kind: _Pass) -> None:
        """Return when it is this kind's turn."""
        self._finish()
        while (wanted := self._ranks.highest(kind)) != kind:
            self._hand_over(self._order(wanted))
        if kind is _Pass.FORWARD:
            # Passes without gradients are remembered until the next backward pass, which would start with their layers.
            self._decoder.reset_iter_state()
        self._owed.extend(self._order(kind))

    def _await_backward(self, hidden: Tensor) -> None:
        if hidden.requires_grad:
            hidden.register_hook(lambda _gradient: self._begin(_Pass.BACKWARD))

    def _order(self, kind: int) -> Iterable[int]:
        places = range(len(self._layers))
        return reversed(places) if kind == _Pass.BACKWARD else places

    def _finish(self) -> None:
        """Contribute the parts that a failed pass still owes."""
        if self._owed:
            self._decoder.reset_iter_state()
            self._hand_over(list(self._owed))

    def _hand_over(self, order: Iterable[int]) -> None:
        self._owed = deque(order)
        try:
            for layer in [self._layers[index] for index in self._owed]:
                layer.unshard()
                layer.reshard()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            # Not an out-of-memory error, which all ranks would retry with fewer rows: this rank could not take part.
            raise TrainingError(
                "A single layer does not fit into memory.",
                str(error).splitlines()[0],
                "Close other programs, or resume the run with more processes.",
            ) from error


class _Parts:
    """How torch gathers one layer."""

    def __init__(self, owner: _Layers, index: int) -> None:
        self._owner, self._index = owner, index

    def allocate(self, size: Iterable[int], *, dtype: torch.dtype, device: torch.device) -> Tensor:
        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(self, output_tensor: Tensor, input_tensor: Tensor, group: object, async_op: bool = False) -> None:
        self._owner.all_gather(self._index, output_tensor, input_tensor)


def _layers_of(local: LocalModel) -> list[nn.Module]:
    """Return the decoder's layers in order. Raises `ModelError` if they are not in a single list."""
    count = local.base.config.get_text_config().num_hidden_layers
    lists = [child for child in local.backbone.children() if isinstance(child, nn.ModuleList) and len(child) == count]
    if len(lists) != 1:
        raise ModelError(
            "The layers of this model cannot be sharded.",
            f"{local.folder}: its decoder has no single list of {count} layers.",
            "Train without --shard, or choose another model.",
        )
    return list(lists[0])

"""Adapters that are whole layers (full fine-tuning): which layers they have, and how they replace the base's and back.

In training, evaluation and releases such an adapter is peft's LN_TUNING, which keeps a copy of each layer beside the
base's own, whatever their type: switched off, it leaves the base unchanged. peft cannot add such an adapter to a model
that has LoRA adapters, so if several adapters share a base, weights are swapped here. Knows nothing of training.
"""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from engine.model.adapter_files import whole_layer_name
from engine.model.adapter_place import ADAPTER_WEIGHTS
from engine.model.local_model import LocalModel
from engine.model.targets import uncalled


def whole_layer_targets(local: LocalModel) -> list[str]:
    """Return the names of all decoder layers that have weights, except token embeddings and the output head.

    Those two are the largest part of a small model, may be tied, and have nothing to learn from a prompt's few words.
    Experts are left out too: peft cannot merge a layer whose weights are not named `weight`; and routers with buffers,
    which peft would store as if they were trained; and what is `uncalled`.
    `local` must not have an adapter.
    """
    head = local.base.get_output_embeddings()
    inside = {id(module) for module in local.backbone.modules()} - uncalled(local)
    return [
        name
        for name, module in local.base.named_modules()
        if id(module) in inside
        and module is not head
        and not isinstance(module, nn.Embedding)
        and isinstance(getattr(module, "weight", None), nn.Parameter)
        and not [*module.buffers(recurse=False)]
    ]


class WholeLayers:
    """A base whose weights can be swapped for those of an adapter, and back."""

    def __init__(self, local: LocalModel) -> None:
        """Take over a base without adapters; layers that are injected into it later are not touched."""
        self._parameters = dict(local.base.named_parameters())
        self._own = {name: parameter.data for name, parameter in self._parameters.items()}

    def read(self, folder: Path) -> dict[str, Tensor]:
        """Read the layers of a checked folder, by the base's names, in the base's dtype and on its device."""
        found = {whole_layer_name(name): tensor for name, tensor in load_file(folder / ADAPTER_WEIGHTS).items()}
        return {name: tensor.to(self._own[name]) for name, tensor in found.items()}

    def put(self, weights: Mapping[str, Tensor]) -> None:
        """Give the base these `weights`, and its own wherever they name none."""
        for name, parameter in self._parameters.items():
            parameter.data = weights.get(name, self._own[name])

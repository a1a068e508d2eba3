"""Adapters that are whole layers (full fine-tuning): which layers, and those of one put in the base's place and back.

In training, evaluation and releases such an adapter is peft's LN_TUNING, which holds a copy of each layer beside the
base's own, whatever their type: switched off it leaves the base as it was. peft takes no such adapter into a model that
has LoRA adapters, so where several adapters share a base its numbers are exchanged here. Knows nothing of training.
"""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from engine.model.adapter_files import whole_layer_name
from engine.model.adapter_place import ADAPTER_WEIGHTS
from engine.model.local_model import LocalModel


def whole_layer_targets(local: LocalModel) -> list[str]:
    """The names of all layers of the decoder that have weights, but for tables of tokens and the output head.

    Those are the largest part of a small model, may be one and the same, and have nothing to learn from a prompt's
    few words. `local` is without an adapter.
    """
    head = local.base.get_output_embeddings()
    inside = {id(module) for module in local.backbone.modules()}
    return [
        name
        for name, module in local.base.named_modules()
        if id(module) in inside
        and module is not head
        and not isinstance(module, nn.Embedding)
        and any(True for _ in module.parameters(recurse=False))
    ]


class WholeLayers:
    """A base whose numbers can be exchanged for those of an adapter, and back."""

    def __init__(self, local: LocalModel) -> None:
        """Take over a bare base; layers that are injected into it later are not touched."""
        self._parameters = dict(local.base.named_parameters())
        self._own = {name: parameter.data for name, parameter in self._parameters.items()}

    def read(self, folder: Path) -> dict[str, Tensor]:
        """The layers in a folder that was checked, by the base's names, in the base's numbers and on its device."""
        found = {whole_layer_name(name): tensor for name, tensor in load_file(folder / ADAPTER_WEIGHTS).items()}
        return {name: tensor.to(self._own[name]) for name, tensor in found.items()}

    def put(self, weights: Mapping[str, Tensor]) -> None:
        """From now on the base has `weights` where these name any, elsewhere its own."""
        for name, parameter in self._parameters.items():
            parameter.data = weights.get(name, self._own[name])

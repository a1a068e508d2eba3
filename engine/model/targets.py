"""Which layers of a model get an adapter: found by type and position, whatever a model family calls them."""

from torch import nn
from transformers.pytorch_utils import Conv1D

from engine.model.adapter_files import ALL_LINEAR
from engine.model.local_model import LocalModel


def lora_targets(local: LocalModel) -> str | list[str]:
    """Return peft's `target_modules` for all linear layers of the decoder, except the output head and embeddings.

    Names are listed one by one only if the model has linear layers outside its decoder: vision or audio towers, which
    text never passes through. `local` must not have an adapter.
    """
    head = local.base.get_output_embeddings()
    inside = {id(module) for module in local.backbone.modules()}
    linear = {
        name: id(module) in inside
        for name, module in local.base.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head
    }
    return ALL_LINEAR if all(linear.values()) else [name for name, is_inside in linear.items() if is_inside]

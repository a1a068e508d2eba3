"""Which layers of a model an adapter goes to: found by their type and place, whatever a family calls them."""

from torch import nn
from transformers.pytorch_utils import Conv1D

from engine.model.local_model import LocalModel

ALL_LINEAR = "all-linear"  # peft's word for every linear layer but the output head


def lora_targets(local: LocalModel) -> str | list[str]:
    """peft's `target_modules` for the linear layers of the decoder, fused ones too; never the output head or a table.

    Names are told one by one only where the model has linear layers beside its decoder: towers that see or hear, which
    text never passes through. `local` is without an adapter.
    """
    head = local.base.get_output_embeddings()
    inside = {id(module) for module in local.backbone.modules()}
    linear = {
        name: id(module) in inside
        for name, module in local.base.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head
    }
    return ALL_LINEAR if all(linear.values()) else [name for name, is_inside in linear.items() if is_inside]

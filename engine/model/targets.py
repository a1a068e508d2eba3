"""Which layers of a model get an adapter: found by type and position, whatever a model family calls them."""

from torch import nn
from torch.nn.modules.conv import _ConvNd

from engine.errors import ModelError
from engine.model.local_model import LocalModel

EXPERTS_NOTE = (
    "The experts of this model are held as one tensor per layer, which cannot be adapted: only the layers that every "
    "token passes through are trained."
)


def lora_targets(local: LocalModel) -> list[str]:
    """Return the names of all linear layers of the decoder, except the output head; `local` must not have an adapter.

    Names, because peft's own word for all of them ("all-linear") also adapts experts, in a way that needs further keys
    in the adapter's configuration and excludes DoRA. Left out are subclasses, such as routers that return more than the
    product, and layers outside the decoder: vision or audio towers, which text never passes through. Raises
    `ModelError` if there is none.
    """
    head = local.base.get_output_embeddings()
    inside = {id(module) for module in local.backbone.modules()}
    names = [
        name
        for name, module in local.base.named_modules()
        if (type(module) is nn.Linear or (local.quantized and isinstance(module, nn.Linear)))
        and id(module) in inside
        and module is not head
    ]
    if not names:
        raise ModelError(
            "The model has no layers that can be adapted.",
            f"{local.folder}: its decoder has no linear layers (GPT-2's are of another kind).",
            "Choose another model.",
        )
    return names


def has_experts(local: LocalModel) -> bool:
    """Whether the decoder holds experts: one tensor of three dimensions for those of a whole layer."""
    return any(
        parameter.dim() == 3
        for module in local.backbone.modules()
        if not isinstance(module, _ConvNd)
        for parameter in module.parameters(recurse=False)
    )

"""Which layers of a model get an adapter: found by type and position, whatever a model family calls them."""

from torch import nn
from torch.nn.modules.conv import _ConvNd

from engine.errors import ModelError
from engine.model.local_model import LocalModel
from engine.model.shapes import FOLDED, OF_EXPERTS

EXPERTS_NOTE = (
    "The experts of this model are held as one tensor per layer, which cannot be adapted: only the layers outside the "
    "mixtures of experts are trained."
)


def lora_targets(local: LocalModel) -> list[str]:
    """Return the names of all linear layers of the decoder, except the output head; `local` must not have an adapter.

    Names, because peft's own word for all of them ("all-linear") also adapts experts, in a way that needs further keys
    in the adapter's configuration and excludes DoRA. Left out are subclasses, such as routers that return more than the
    product, layers outside the decoder: vision or audio towers, which text never passes through, what is `uncalled` or
    `FOLDED`, and experts that every token passes through. Raises `ModelError` if there is none.
    """
    head = local.base.get_output_embeddings()
    inside = {id(module) for module in local.backbone.modules()} - uncalled(local)
    ends = (FOLDED, *OF_EXPERTS) if has_experts(local) else (FOLDED,)
    names = [
        name
        for name, module in local.base.named_modules()
        if (type(module) is nn.Linear or (local.quantized and isinstance(module, nn.Linear)))
        and id(module) in inside
        and module is not head
        and name.rpartition(".")[2] not in ends
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


def uncalled(local: LocalModel) -> set[int]:
    """Return the identities of layers whose weights a model may read without calling them, so that adapters do nothing.

    These are the convolutions of recurrent layers, and what the fused kernel of a Mamba layer takes in training.
    """
    found = set()
    for module in local.backbone.modules():
        for name, part in module.named_children():
            mamba = isinstance(getattr(module, "D", None), nn.Parameter) and name in ("out_proj", "norm")
            if mamba or isinstance(part, _ConvNd):
                found.add(id(part))
    return found

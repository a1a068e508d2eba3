"""The state that a prompt leaves in a model: computed once, at batch size 1, for all rows that are read after it.

Layers with attention keep the prompt's keys and values, which all rows share. Recurrent layers (gated delta nets,
Mamba, short convolutions) keep a state whose size does not depend on the prompt; each row continues a copy of it.
Knows nothing of text or sampling.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature

import torch
from torch import Tensor
from transformers import PretrainedConfig
from transformers.cache_utils import (
    Cache,
    CacheLayerMixin,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionLayer,
)
from transformers.masking_utils import create_causal_mask

from engine.errors import ModelError
from engine.model.local_model import LocalModel
from engine.model.memory import within_memory
from engine.model.recurrent_state import copy_states, state_bytes
from engine.model.shared_attention import SharedPrompt

# The argument of every model's forward pass: transformers 5.24 has renamed it.
CACHE_ARGUMENT = "cache" if "cache" in signature(create_causal_mask).parameters else "past_key_values"


@dataclass(frozen=True, slots=True, eq=False)
class PromptCache:
    """What one prompt leaves in one model with one setting of its adapter.

    layers: transformers' cache of the prompt, whose attention layers keep every token; empty if the prompt is.
    attended: by layer with attention, the keys (Hkv, L, D) and values (Hkv, L, E) that queries attend to. Layers may
    keep less of them (a shorter vector that they are made of), or nothing (those of an earlier layer are used again).
    """

    ids: tuple[int, ...]
    layers: tuple[object, ...]
    attended: Mapping[int, tuple[Tensor, Tensor]]

    @classmethod
    def build(cls, local: LocalModel, prefix_ids: Sequence[int]) -> "PromptCache":
        """Run one forward pass over the prompt with the adapter's current setting. An empty prefix is allowed.

        Raises `ModelError` if what it leaves does not fit into memory.
        """
        cache = _whole_cache(local.base.config.get_text_config())
        attended: dict[int, tuple[Tensor, Tensor]] = {}
        if prefix_ids:
            local.format.check_length(prefix_ids, "The prompt")
            advice = "Use a shorter prompt, a smaller model or another device."
            with torch.inference_mode(), within_memory(advice, "The prompt's keys and values"):
                ids = torch.tensor([list(prefix_ids)], device=local.device)
                local.backbone(input_ids=ids, use_cache=True, attended=attended, **{CACHE_ARGUMENT: cache})
        return cls(tuple(prefix_ids), tuple(cache.layers), attended)

    @property
    def length(self) -> int:
        return len(self.ids)

    @property
    def token_bytes(self) -> int:
        """How much memory what the layers keep of one of its tokens takes, all together; it must have some."""
        attending = [layer for layer in self.layers if isinstance(layer, CacheLayerMixin)]
        kept: list[Tensor] = [part for layer in attending for part in (layer.keys, layer.values) if part is not None]
        return sum(part.numel() * part.element_size() for part in kept) // self.length

    @property
    def state_bytes(self) -> int:
        """How much memory a row's states take in all recurrent layers, however long it is."""
        return sum(state_bytes(layer) for layer in self.layers if isinstance(layer, LinearAttentionLayer))

    @property
    def recurrent(self) -> bool:
        """Whether some layer has a state that every token changes, padding included."""
        return _any_recurrent(self.layers)

    def own_part(self, row: Sequence[int]) -> list[int]:
        """The ids of `row` after the prompt. Raises `ModelError` unless it starts with the prompt and continues."""
        if tuple(row[: self.length]) != self.ids or len(row) <= self.length:
            raise ModelError(
                "A row does not continue the cached prompt.",
                f"Its first {self.length} tokens are not the prompt's, or nothing follows them.",
                "Build rows and cache from the same prompt with the same chat format.",
            )
        return list(row[self.length :])

    def shared(self, positions: Tensor) -> SharedPrompt:
        """What the attention needs for queries at these absolute positions (B, T)."""
        return SharedPrompt(self.attended, positions, self.length)

    def continued(self, rows: int) -> Cache | None:
        """Return a cache for one pass of `rows` rows that continue the prompt; None if the layers need none."""
        if not self.ids or not self.recurrent:
            return None
        layers: list[object] = []
        for after in self.layers:
            if isinstance(after, LinearAttentionLayer):
                both = isinstance(after, CacheLayerMixin)
                kind = LinearAttentionAndFullAttentionLayer if both else LinearAttentionLayer
                layers.append(kind(number_of_states=after.number_of_states))
                copy_states(after, layers[-1], rows)
            else:
                layers.append(DynamicLayer())
        return Cache(layers=layers)


def is_recurrent(local: LocalModel) -> bool:
    """Whether some layer of the model is recurrent: rows cannot share a prompt within one sequence."""
    return _any_recurrent(_whole_cache(local.base.config.get_text_config()).layers)


def _any_recurrent(layers: Sequence[object]) -> bool:
    return any(isinstance(layer, LinearAttentionLayer) for layer in layers)


def _whole_cache(config: PretrainedConfig) -> DynamicCache:
    """Return an empty cache whose attention layers keep every token: masks, not lost keys, make sliding windows."""
    cache = DynamicCache(config=config)
    for place, layer in enumerate(cache.layers):
        if isinstance(layer, DynamicSlidingWindowLayer):
            if isinstance(layer, LinearAttentionLayer):
                cache.layers[place] = LinearAttentionAndFullAttentionLayer(number_of_states=layer.number_of_states)
            else:
                cache.layers[place] = DynamicLayer()
    return cache


def forward_shared(
    local: LocalModel, prefix: PromptCache, ids: Tensor, positions: Tensor, cache: Cache | None
) -> Tensor:
    """Return hidden states (B, T, H) of own ids (B, T) at absolute positions (B, T), after the shared prompt."""
    cache = cache if cache is not None else prefix.continued(len(ids))
    # A four-dimensional mask is passed through untouched, so transformers does not build one that nothing reads.
    mask = torch.empty((1, 1, 1, 1), device=ids.device)
    hidden: Tensor = local.backbone(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        use_cache=cache is not None,
        shared=prefix.shared(positions),
        **{CACHE_ARGUMENT: cache},
    ).last_hidden_state
    return hidden

"""The prompt's keys and values: computed once, kept at batch size 1, shared by all rows that decode or score after it.

Knows nothing of text or sampling.
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache

from engine.errors import ModelError
from engine.machine import free_memory_bytes
from engine.model.local_model import LocalModel
from engine.model.memory import within_memory
from engine.model.shared_attention import SharedPrompt

_PROBE = 12  # tokens of the exactness check
_ATTENTION_KINDS = {"full_attention", "sliding_attention", "attention"}
_ROWS_SHARE = 1 / 3  # of the free memory: a growing cache exists twice for a moment


@dataclass(frozen=True, slots=True, eq=False)
class PromptCache:
    """Per layer keys and values (Hkv, L, D) of one prompt, for one model with one setting of its adapter."""

    ids: tuple[int, ...]
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    @classmethod
    def build(cls, local: LocalModel, prefix_ids: Sequence[int]) -> "PromptCache":
        """Run one forward pass over the prompt with the adapter's current setting. An empty prefix is allowed.

        Raises `ModelError` if keys and values do not fit into memory, or the model keeps none.
        """
        layers = local.base.config.get_text_config().num_hidden_layers
        if not prefix_ids:
            empty = tuple(torch.empty(0) for _ in range(layers))
            return cls((), empty, empty)
        local.format.check_length(prefix_ids, "The prompt")
        cache = DynamicCache()
        advice = "Use a shorter prompt, a smaller model or another device."
        with torch.inference_mode(), within_memory(advice, "The prompt's keys and values"):
            local.backbone(
                input_ids=torch.tensor([list(prefix_ids)], device=local.device), past_key_values=cache, use_cache=True
            )
        keys, values = [], []
        for layer in cache.layers:
            if layer.keys is None or layer.values is None:
                raise ModelError("The model keeps no keys and values.", type(layer).__name__, "Choose another model.")
            keys.append(layer.keys[0].contiguous())
            values.append(layer.values[0].contiguous())
        return cls(tuple(prefix_ids), tuple(keys), tuple(values))

    @property
    def length(self) -> int:
        return len(self.ids)

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
        return SharedPrompt(self.keys, self.values, positions, self.length)


def rows_that_fit(local: LocalModel, slots: int, local_processes: int = 1) -> int:
    """Return how many rows of `slots` tokens each, after the prompt, fit into the memory that is free now; at least 1.

    `local_processes`: how many decode on this machine at the same time. Each has its share of main memory, or its
    own GPU.
    """
    config = local.base.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    row_bytes = 2 * config.num_hidden_layers * heads * width * slots * local.base.dtype.itemsize
    return max(1, int(_ROWS_SHARE * _free_bytes(local.device, local_processes) / row_bytes))


def _free_bytes(device: torch.device, local_processes: int) -> int:
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, for later use
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    return free_memory_bytes() // local_processes


class OwnLayer(CacheLayerMixin):
    """One layer's own keys and values (rows, Hkv, slots, D): pre-allocated, written in place, each row at its slot."""

    is_sliding = False

    def __init__(self, owner: "OwnCache") -> None:
        super().__init__()
        # Not an ordinary reference: in a cycle, the keys and values of a failed pass would stay in memory until Python
        # looks for cycles, and the smaller pass that follows would have less.
        self.owner = cast("OwnCache", weakref.proxy(owner))
        self.keys = torch.empty(0)
        self.values = torch.empty(0)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.keys = _slots_like(key_states, self.owner.rows, self.owner.slots)
        self.values = _slots_like(value_states, self.owner.rows, self.owner.slots)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: object, **_kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Store (n, Hkv, T, D): one token of each row in that row's slot, or the questions of new rows."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        owner = self.owner
        rows, tokens = key_states.shape[0], key_states.shape[2]
        if owner.source is not None:
            new = slice(owner.first_row, owner.first_row + len(owner.source))
            self.keys[new, :, :tokens] = key_states[owner.source]
            self.values[new, :, :tokens] = value_states[owner.source]
            return key_states, value_states
        self.keys[owner.row_index, :, owner.slot_index] = key_states[:, :, 0]
        self.values[owner.row_index, :, owner.slot_index] = value_states[:, :, 0]
        return self.keys[:rows, :, : owner.used], self.values[:rows, :, : owner.used]

    def grow(self, slots: int) -> None:
        """Make room for `slots` slots, and keep what is stored."""
        if self.is_initialized:
            used = self.keys.shape[2]
            keys, values = (_slots_like(old, old.shape[0], slots) for old in (self.keys, self.values))
            keys[:, :, :used], values[:, :, :used] = self.keys, self.values
            self.keys, self.values = keys, values

    def move(self, source: int, target: int, used: int) -> None:
        """Copy a row's first `used` slots over another row."""
        self.keys[target, :, :used] = self.keys[source, :, :used]
        self.values[target, :, :used] = self.values[source, :, :used]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.owner.used + query_length, 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return -1


def _slots_like(states: Tensor, rows: int, slots: int) -> Tensor:
    # Zeros rather than uninitialised memory: a masked slot is multiplied by 0, and 0 · NaN would corrupt the row.
    return states.new_zeros((rows, states.shape[1], slots, states.shape[3]))


class OwnCache(Cache):
    """The rows' own keys and values after a shared prompt. Slots are counted from the end of the prompt."""

    def __init__(self, layers: int, rows: int, slots: int) -> None:
        self.rows, self.slots = rows, slots
        self.used = 0  # slots that any row has filled
        self.source: Tensor | None = None  # while prefilling: which of the pass's rows each new row copies
        self.first_row = 0  # where the first new row is written
        self.row_index = torch.arange(0)
        self.slot_index = torch.arange(0)
        super().__init__(layers=[OwnLayer(self) for _ in range(layers)])

    def reserve(self, slots: int) -> None:
        """Make room for `slots` slots per row; grows in blocks, so that growth is rare."""
        if slots > self.slots:
            self.slots = max(slots, self.slots + 64)
            for layer in self.layers:
                layer.grow(self.slots)

    def move(self, source: int, target: int, used: int) -> None:
        """Copy a row's first `used` slots over another row."""
        for layer in self.layers:
            layer.move(source, target, used)


def forward_shared(
    local: LocalModel, prefix: PromptCache, ids: Tensor, positions: Tensor, cache: Cache | None
) -> Tensor:
    """Return hidden states (B, T, H) of own ids (B, T) at absolute positions (B, T), after the shared prompt."""
    # A four-dimensional mask is passed through untouched, so transformers does not build one that nothing reads.
    mask = torch.empty((1, 1, 1, 1), device=ids.device)
    hidden: Tensor = local.backbone(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=cache is not None,
        shared=prefix.shared(positions),
    ).last_hidden_state
    return hidden


def check_exactness(local: LocalModel) -> None:
    """Compare shared attention and our output head with the model's own forward pass on a few tokens.

    Raises `ModelError` for architectures that they do not reproduce (attention or logits of another kind), and for a
    device that does not work at all.
    """
    if others := sorted(
        set(getattr(local.base.config.get_text_config(), "layer_types", None) or ()) - _ATTENTION_KINDS
    ):
        raise _unsupported(local, f"it has layers of the kind {', '.join(others)}")
    vocabulary = local.base.get_input_embeddings().num_embeddings
    ids = torch.arange(1, _PROBE + 1, device=local.device)[None] * 7 % vocabulary
    half = _PROBE // 2
    with torch.inference_mode():
        try:
            with within_memory("Choose a smaller model.", "The first passes"):
                expected = local.base(input_ids=ids, use_cache=False).logits[0, half:].float()
                prefix = PromptCache.build(local, ids[0, :half].tolist())
                positions = torch.arange(half, _PROBE, device=local.device)[None]
                found = local.logits(forward_shared(local, prefix, ids[:, half:], positions, None))[0]
        except (TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
            if "CUDA error" in str(error):
                raise ModelError(
                    "The GPU does not work.",
                    f"{local.device}: {str(error).splitlines()[0]}.",
                    "Check it with `distill-tui doctor`, or choose the device cpu.",
                ) from error
            raise _unsupported(local, str(error)) from error
    distance = float((found - expected).norm() / (expected - expected.mean()).norm().clamp_min(1e-6))
    limit = 1e-3 if local.dtype == torch.float32 else 0.1
    if not distance < limit:
        raise _unsupported(local, f"the logits differ by {distance:.3g} of their spread")


def _unsupported(local: LocalModel, reason: str) -> ModelError:
    return ModelError(
        "The model's architecture is not supported.",
        f"{local.folder}: attention with a shared prompt does not reproduce its answers ({reason}).",
        "Choose a decoder with standard attention in every layer, such as Llama 3, Qwen3, Mistral, Gemma or Phi.",
    )

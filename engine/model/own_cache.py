"""What the rows of a batch keep for themselves after a shared prompt: allocated once, each row in its place.

Knows nothing of sampling, or of when rows come and go.
"""

import weakref
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, LinearAttentionLayer

from engine.machine import free_memory_bytes
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache, forward_shared
from engine.model.recurrent_state import RecurrentLayer

_SLOTS_AT_ONCE = 64  # a cache grows by these, so that growth is rare
_ROWS_SHARE = 1 / 3  # of the free memory: a growing cache exists twice for a moment


def rows_that_fit(local: LocalModel, prefix: PromptCache, slots: int, local_processes: int = 1) -> int:
    """Return how many rows of `slots` tokens each, after the prompt, fit into the memory that is free now; at least 1.

    `local_processes`: how many decode on this machine at the same time. Each has its share of main memory, or its
    own GPU.
    """
    if not prefix.ids:
        prefix = PromptCache.build(local, (0,))  # what any one token leaves
    row_bytes = max(1, slots * prefix.token_bytes + prefix.state_bytes)
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
        self.allocate(key_states, value_states)

    def allocate(self, key_states: Tensor, value_states: Tensor) -> None:
        """Make room for all rows, with heads and widths like the given keys and values."""
        self.keys = _slots_like(key_states, self.owner.rows, self.owner.slots)
        self.values = _slots_like(value_states, self.owner.rows, self.owner.slots)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: object, **_kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Store (n, Hkv, T, D): one token of each row in that row's slot, or the questions of new rows."""
        if not self.is_initialized:
            self.allocate(key_states, value_states)
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
        if self.is_initialized:
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


class OwnHybridLayer(RecurrentLayer, OwnLayer):
    """A layer with attention beside a recurrent part (Falcon-H1)."""

    def __init__(self, owner: "OwnCache", after_prompt: LinearAttentionLayer) -> None:
        OwnLayer.__init__(self, owner)
        RecurrentLayer.__init__(self, owner.rows, after_prompt)

    def move(self, source: int, target: int, used: int) -> None:
        RecurrentLayer.move(self, source, target, used)
        OwnLayer.move(self, source, target, used)


class OwnCache(Cache):
    """The rows' own keys, values and states after a shared prompt. Slots are counted from the end of the prompt.

    Call it with gradients off and with the adapter always in the same state.
    """

    def __init__(self, local: LocalModel, prefix: PromptCache, rows: int, slots: int = _SLOTS_AT_ONCE) -> None:
        self.local, self.prefix = local, prefix
        self.rows, self.slots = rows, slots
        self.used = 0  # slots that any row has filled
        self.source: Tensor | None = None  # while reading: which of the pass's rows each new row continues
        self.first_row = 0  # where the first new row is written
        self.row_index = torch.arange(0)
        self.slot_index = torch.arange(0)
        super().__init__(layers=[self._own(after) for after in prefix.layers])
        self._recurrent = [layer for layer in self.layers if isinstance(layer, RecurrentLayer)]

    def read(self, questions: Sequence[Sequence[int]], source: Sequence[int], first_row: int) -> Tensor:
        """Read questions in one pass, padded on the right; return their hidden states (questions, T, H).

        New row `first_row` + i continues question `source[i]`. If the prompt is `recurrent`, all have the same length:
        padding would become part of their state.
        """
        longest = max(map(len, questions))
        if self._recurrent and any(len(question) != longest for question in questions):
            raise ValueError("questions of different lengths cannot be read together by recurrent layers")
        device = self.local.device
        ids = torch.tensor([[*question, *([0] * (longest - len(question)))] for question in questions], device=device)
        positions = (torch.arange(longest, device=device) + self.prefix.length).expand(len(questions), -1)
        self._reserve(longest)
        self.first_row, self.source = first_row, torch.tensor(source, device=device)
        for layer in self._recurrent:
            layer.begin(len(questions))
        hidden = forward_shared(self.local, self.prefix, ids, positions, self)
        for layer in self._recurrent:
            layer.keep(self.source, first_row)
        self.source = None
        return hidden

    def step(self, tokens: Sequence[int], slots: Sequence[int]) -> Tensor:
        """Read one token of each of the first rows, into its slot; return their hidden states (rows, H)."""
        self.used = max(slots) + 1
        self._reserve(self.used)
        device = self.local.device
        self.row_index = torch.arange(len(tokens), device=device)
        self.slot_index = torch.tensor(slots, device=device)
        for layer in self._recurrent:
            layer.resume(len(tokens))
        positions = self.slot_index[:, None] + self.prefix.length
        ids = torch.tensor(tokens, device=device)[:, None]
        return forward_shared(self.local, self.prefix, ids, positions, self)[:, 0]

    def move(self, source: int, target: int, used: int) -> None:
        """Copy a row's first `used` slots, and its states, over another row's."""
        for layer in self.layers:
            layer.move(source, target, used)

    def _own(self, after_prompt: object) -> "OwnLayer | RecurrentLayer":
        if not isinstance(after_prompt, LinearAttentionLayer):
            return OwnLayer(self)
        if isinstance(after_prompt, CacheLayerMixin):
            return OwnHybridLayer(self, after_prompt)
        return RecurrentLayer(self.rows, after_prompt)

    def _reserve(self, slots: int) -> None:
        if slots > self.slots:
            self.slots = max(slots, self.slots + _SLOTS_AT_ONCE)
            for layer in self.layers:
                if isinstance(layer, OwnLayer):
                    layer.grow(self.slots)

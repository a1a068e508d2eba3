"""States of recurrent layers: gated delta nets, Mamba and short convolutions, which keep no keys and values.

A state sums up all tokens before it, so its size is fixed and every token changes it. Rows that continue the same
prompt start from copies of its state. Knows nothing of models.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from transformers.cache_utils import LinearAttentionLayer

_STATES = ("conv_states", "recurrent_states")
_MARKS = ("is_conv_states_initialized", "is_recurrent_states_initialized", "has_previous_state", "conv_kernel_size")


class RecurrentLayer(LinearAttentionLayer):
    """One layer's states of all rows that decode together, each row in its place; their room grows up to `capacity`."""

    def __init__(self, capacity: int, after_prompt: LinearAttentionLayer) -> None:
        super().__init__(number_of_states=after_prompt.number_of_states)
        self.capacity = capacity
        self.after_prompt = after_prompt
        self.kept: dict[tuple[str, int], Tensor] = {}

    def begin(self, rows: int) -> None:
        """Have the next pass read `rows` new rows after the prompt."""
        copy_states(self.after_prompt, self, rows)

    def keep(self, source: Tensor, first_row: int) -> None:
        """Store what that pass has left: row `first_row` + i continues the pass's row `source[i]`."""
        rows = first_row + len(source)
        for name, number, states in _held(self):
            kept = self.kept.get((name, number))
            if kept is None or len(kept) < rows:
                room = states.new_zeros((min(self.capacity, 2 * rows), *states.shape[1:]))
                if kept is not None:
                    room[:first_row] = kept[:first_row]
                kept = self.kept[name, number] = room
            kept[first_row:rows] = states[source]
        self.resume(rows)  # releases what the pass has left

    def resume(self, rows: int) -> None:
        """Have the next pass read one token of each of the first `rows` rows, and change their states in place."""
        for (name, number), kept in self.kept.items():
            getattr(self, name)[number] = kept[:rows]

    def move(self, source: int, target: int, _used: int) -> None:
        """Copy a row's states over another row's."""
        for kept in self.kept.values():
            kept[target] = kept[source]


def copy_states(source: LinearAttentionLayer, target: LinearAttentionLayer, rows: int) -> None:
    """Give `target` the states of `source`, of batch size 1, once for each of `rows` rows."""
    for name in (*_STATES, *_MARKS):
        setattr(target, name, dict(getattr(source, name)))
    target.device, target.dtype = source.device, source.dtype
    for name, number, states in _held(source):
        getattr(target, name)[number] = states.repeat(rows, *[1] * (states.dim() - 1))


def state_bytes(layer: LinearAttentionLayer) -> int:
    """Return the size of the layer's states, in bytes."""
    return sum(states.numel() * states.element_size() for _name, _number, states in _held(layer))


def _held(layer: LinearAttentionLayer) -> Iterator[tuple[str, int, Tensor]]:
    for name in _STATES:
        for number, states in getattr(layer, name).items():
            if isinstance(states, torch.Tensor):
                yield name, number, states

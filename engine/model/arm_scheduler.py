"""Answers of several arms at once with one model: each arm's rows form a batch, and the batches step in turn.

One arm's answer never waits for another to end, and every row gets one token per round. Rows that arrive while others
decode are admitted between two steps. Knows nothing of text, runs or who asks.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from engine.model.adapters import Adapters
from engine.model.decode import Batch, Decoded, Draw, Row
from engine.model.local_model import LocalModel
from engine.model.memory import within_memory
from engine.model.prompt_cache import PromptCache

PROMPTS_KEPT = 4  # caches of keys and values; the least recently used one is evicted
_BATCH_ROWS = 8


@dataclass(frozen=True, slots=True)
class ArmSetting:
    """The adapter setting for an answer, and the prompt before it. Rows with the same setting share a batch."""

    adapter: str = ""  # a hash that `Adapters` knows; empty: the base alone
    strength: float = 0.0  # 0 to 1
    prefix_ids: tuple[int, ...] = ()  # the prompt that all its rows start with


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One answer to give, and its listeners, which are called within a step and must not call `ArmScheduler`."""

    setting: ArmSetting
    ids: Sequence[int]  # all of them, including the prefix
    max_new_tokens: int
    draw: Draw
    seed: int
    on_token: Callable[[int], None]
    on_finished: Callable[[Decoded], None]


@dataclass(slots=True, eq=False)
class _Lane:
    """The rows of one setting."""

    batch: Batch
    waiting: deque[Row] = field(default_factory=deque)


class ArmScheduler:
    """Answers with several settings. Give it turns with `add`, and call `step` as long as it is `busy`."""

    def __init__(self, local: LocalModel, adapters: Adapters, batch_rows: int = _BATCH_ROWS) -> None:
        self._local, self._adapters, self._batch_rows = local, adapters, batch_rows
        self._lanes: dict[ArmSetting, _Lane] = {}
        self._prompts: dict[ArmSetting, PromptCache] = {}
        self._turns: dict[int, tuple[Turn, Row]] = {}
        self._next_index = 0

    @property
    def busy(self) -> bool:
        """Whether any row remains to be decoded."""
        return bool(self._turns)

    @property
    def adapters_in_use(self) -> frozenset[str]:
        """The hashes that must stay loaded."""
        return frozenset(setting.adapter for setting in self._lanes)

    @torch.inference_mode()
    def add(self, turn: Turn) -> None:
        """Start an answer at the next step.

        Raises `ContextError` if it does not fit the context, and `ModelError` if there is not enough memory.
        """
        self._local.format.check_length([*turn.ids, *([0] * turn.max_new_tokens)], "The conversation with its answer")
        with within_memory("Ask for fewer or shorter answers at once."):
            prefix = self._prompt(turn.setting)
        index = self._next_index
        self._next_index += 1
        row = Row.make(index, prefix.own_part(turn.ids), turn.max_new_tokens, turn.draw, turn.seed)
        lane = self._lanes.get(turn.setting)
        if lane is None:
            batch = Batch(self._local, prefix, self._batch_rows, self._on_tokens, self._on_finished)
            lane = self._lanes[turn.setting] = _Lane(batch)
        lane.waiting.append(row)
        self._turns[index] = (turn, row)

    @torch.inference_mode()
    def drop(self, turn: Turn) -> None:
        """Drop an answer that nobody listens to any more; one that has already ended is fine."""
        for index, (each, row) in self._turns.items():
            if each is turn:
                lane = self._lanes[turn.setting]
                if row in lane.waiting:
                    lane.waiting.remove(row)
                else:
                    lane.batch.drop(row)
                del self._turns[index]
                self._sweep()
                return

    @torch.inference_mode()
    def step(self) -> None:
        """Decode one token for every row, one setting after the other; read waiting rows first.

        Raises `ModelError` if there is not enough memory, or the model's logits are not finite; then all rows are lost,
        and this object must not be used again.
        """
        with within_memory("Ask for fewer or shorter answers at once."):
            for setting, lane in list(self._lanes.items()):
                self._adapters.switch(setting.adapter, setting.strength)
                lane.batch.admit(lane.waiting)
                lane.batch.step()
        self._sweep()

    def _prompt(self, setting: ArmSetting) -> PromptCache:
        if not setting.prefix_ids:
            return PromptCache.build(self._local, ())
        found = self._prompts.pop(setting, None)
        if found is None:
            self._adapters.switch(setting.adapter, setting.strength)
            found = PromptCache.build(self._local, setting.prefix_ids)
        self._prompts[setting] = found
        while len(self._prompts) > PROMPTS_KEPT:
            del self._prompts[next(iter(self._prompts))]
        return found

    def _sweep(self) -> None:
        """Release the memory of settings without rows; keep their prompts."""
        for setting, lane in list(self._lanes.items()):
            if not lane.batch.rows and not lane.waiting:
                del self._lanes[setting]

    def _on_tokens(self, index: int, ids: list[int]) -> None:
        turn, _ = self._turns[index]
        for token in ids:
            turn.on_token(token)

    def _on_finished(self, index: int, decoded: Decoded) -> None:
        turn, _ = self._turns.pop(index)
        turn.on_finished(decoded)

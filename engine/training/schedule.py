"""The schedule of a stage: the rows and the learning rate of every step, and the steps after which it is evaluated.

Everything follows from the configuration and the step, so a run that is resumed at any step continues exactly as it
would have. Knows nothing of tensors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from engine.records.dataset import DatasetRow
from engine.records.run import TrainingConfig

# Rows are sorted by length within windows of this many batches: little padding, but batches still vary by epoch.
_WINDOW_BATCHES = 8


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rows of every optimizer step of the first stage, as indices into the training rows."""

    lengths: tuple[int, ...]  # tokens of each training row
    batch_rows: int
    epochs: float
    seed: int
    replanned: tuple[tuple[int, float], ...] = ()  # (from this step on, total epochs)

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_rows)

    @property
    def steps(self) -> int:
        """All optimizer steps over the rows; a fraction of an epoch is rounded to whole steps. 0 for no epochs."""
        return self.plans[-1][1]

    @property
    def plans(self) -> tuple[tuple[int, int], ...]:
        """(first step, total steps) of each plan; the first plan starts at step 0."""
        plans = ((0, self.epochs), *self.replanned)
        return tuple((since, max(1, round(epochs * self.steps_per_epoch)) if epochs else 0) for since, epochs in plans)

    def epoch_at(self, step: int) -> float:
        """How many epochs are done after `step` steps."""
        return step / self.steps_per_epoch

    def rows_at(self, step: int) -> tuple[int, ...]:
        """The rows of optimizer step `step`, counted from 0."""
        epoch, place = divmod(step, self.steps_per_epoch)
        return _epoch_batches(self, epoch)[place]


@lru_cache(maxsize=4)
def _epoch_batches(schedule: Schedule, epoch: int) -> tuple[tuple[int, ...], ...]:
    """Return all batches of one epoch in order: every row once, sizes differing by at most one, longest row first."""
    random = Random(f"{schedule.seed} {epoch}")  # noqa: S311 - nothing secret is drawn
    order = random.sample(range(len(schedule.lengths)), len(schedule.lengths))
    smallest, larger = divmod(len(order), schedule.steps_per_epoch)
    sizes = [smallest + (index < larger) for index in range(schedule.steps_per_epoch)]
    batches: list[tuple[int, ...]] = []
    for first in range(0, len(sizes), _WINDOW_BATCHES):
        window = sizes[first : first + _WINDOW_BATCHES]
        rows, order = order[: sum(window)], order[sum(window) :]
        rows.sort(key=lambda index: -schedule.lengths[index])
        for size in window:
            batches.append(tuple(rows[:size]))
            rows = rows[size:]
    random.shuffle(batches)
    return tuple(batches)


def drawn_at(step: int, per_step: float, population: int, seed: str) -> tuple[int, ...]:
    """Return which of `population` items step `step` takes, `per_step` on average: each once before any twice."""
    drawn: list[int] = []
    for number in range(math.floor(step * per_step), math.floor((step + 1) * per_step)):
        cycle, place = divmod(number, population)
        drawn.append(_shuffled(f"{seed} {cycle}", population)[place])
    return tuple(drawn)


@lru_cache(maxsize=16)
def _shuffled(seed: str, count: int) -> tuple[int, ...]:
    return tuple(Random(seed).sample(range(count), count))  # noqa: S311 - nothing secret is drawn


def planned_steps(plans: Sequence[tuple[int, int]], step: int) -> int:
    """Return the total steps of the plan that holds at step `step`; `plans` are (first step, total steps)."""
    return next(steps for since, steps in reversed(plans) if since <= step)


def replanned_rate_at(step: int, plans: Sequence[tuple[int, int]], highest: float, warmup_fraction: float) -> float:
    """Return the rate of step `step` under `plans`, (first step, total steps): a new plan changes no earlier step.

    From the new plan's first step on, the rate decays linearly from its value there; it would be 0 at the new total. A
    warm-up that is not over yet is finished first, in the steps that the new plan has for it.
    """
    *earlier, (since, steps) = plans
    if not earlier:
        return learning_rate_at(step, steps, highest, warmup_fraction)
    if step <= since:
        return replanned_rate_at(step, earlier, highest, warmup_fraction)
    top = _top_of(plans, warmup_fraction)
    rate, begin = replanned_rate_at(since, earlier, highest, warmup_fraction), max(since, top)
    if step <= top:
        return highest - (highest - rate) * (top - step) / (top - since)
    return (highest if top > since else rate) * (steps - step) / (steps - begin)


def _top_of(plans: Sequence[tuple[int, int]], warmup_fraction: float) -> int:
    """Return the last step of the warm-up under `plans`, which has the highest rate; it may be past their end."""
    *earlier, (since, steps) = plans
    top = _warmup(steps, warmup_fraction) - 1
    if not earlier:
        return top
    before = _top_of(earlier, warmup_fraction)
    return before if before <= since else max(top, since + 1)


def learning_rate_at(step: int, steps: int, highest: float, warmup_fraction: float) -> float:
    """Return the rate of step `step`, counted from 0: linear warm-up, then linear decay that would be 0 at `steps`."""
    warmup = _warmup(steps, warmup_fraction)
    if step < warmup:
        return highest * (step + 1) / warmup
    return highest * (steps - step) / (steps - warmup + 1)


def _warmup(steps: int, fraction: float) -> int:
    return min(steps, max(1, round(fraction * steps)))


def evaluation_steps(steps: int, evaluations: int) -> frozenset[int]:
    """Return the steps after which a stage is evaluated: evenly spread, always including the last."""
    return frozenset(max(1, round(steps * index / evaluations)) for index in range(1, evaluations + 1))


def schedule_of(rows: Sequence[DatasetRow], config: TrainingConfig) -> Schedule:
    """Return the schedule of the first stage over `rows`."""
    lengths = tuple(len(row.question_ids) + len(row.completion_ids) for row in rows)
    return Schedule(lengths, config.batch_rows, config.epochs, config.seed, config.replanned)

"""What an optimizer step consists of, and the stages that define it. Knows nothing of any one stage's method.

Steps are numbered across all stages. What a step does follows only from configuration, seed and step number, so a run
that is resumed at any step continues exactly as it would have.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from engine.errors import UsageError
from engine.records.dataset import DatasetRow
from engine.records.run import TrainingConfig
from engine.training.batches import Batch, make_batch
from engine.training.schedule import evaluation_steps, replanned_rate_at
from engine.training.student import ChunkLoss

RowsLoss = Callable[[Sequence[DatasetRow], Batch], ChunkLoss]  # (rows, their batch)


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a step's objective: losses of the completion tokens of `rows`, summed and divided by `divisor`.

    Rows can be split in any way, because the divisor is that of all of them. `tokens` is how many tokens carry loss;
    the reported loss is the mean over them, in nats.
    """

    name: str
    rows: Sequence[DatasetRow]
    tokens: int
    divisor: float
    loss: RowsLoss
    batch: Callable[[Sequence[DatasetRow]], Batch] = make_batch


@dataclass(frozen=True, slots=True)
class StepWork:
    """One optimizer step: the stage's own term, the terms beside it, and figures to report."""

    main: Term
    beside: tuple[Term, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    alarm: str = ""  # why the stage should end if its next steps are like this one
    fault: str = ""  # why nothing can be learned from this step: it is skipped like one whose loss is not finite

    @property
    def terms(self) -> tuple[Term, ...]:
        return (self.main, *self.beside)


class Stage(Protocol):
    """One method of making steps. Steps are counted from 0, the stage's first."""

    @property
    def name(self) -> str: ...
    @property
    def steps(self) -> int: ...
    @property
    def plans(self) -> tuple[tuple[int, int], ...]:
        """(first step, total steps) of each plan; the total of the last one is `steps`."""

    @property
    def learning_rate(self) -> float:
        """The peak learning rate of the stage."""

    def epoch_at(self, step: int) -> float:
        """How many times the stage has gone through its questions after `step` steps."""

    def work(self, step: int, micro_batch_rows: int) -> StepWork:
        """Prepare step `step`; anything to compute for it is computed about `micro_batch_rows` rows at a time."""


@dataclass(frozen=True, slots=True)
class Course:
    """The stages of one run, one after another."""

    stages: tuple[Stage, ...]
    config: TrainingConfig
    costs: tuple[float, ...]  # approximate cost of one step of each stage, all in the same unit

    def __post_init__(self) -> None:
        """Raises `UsageError` if there are no steps."""
        if not self.steps:
            raise UsageError("The run has no steps.", "", "Set epochs or on-policy steps above 0.")

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def at(self, step: int) -> tuple[Stage, int]:
        """Return the stage of step `step`, and the step's number within that stage."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        raise IndexError(step)

    def cost(self, first: int, last: int) -> float:
        """Return the cost of the steps from `first` up to `last`; one stage's steps may cost many times another's."""
        total, begin = 0.0, 0
        for stage, cost in zip(self.stages, self.costs, strict=True):
            end = begin + stage.steps
            total += cost * max(0, min(last, end) - max(first, begin))
            begin = end
        return total

    @property
    def last_begins_at(self) -> int:
        """The first step of the last stage."""
        return self.steps - next(stage.steps for stage in reversed(self.stages) if stage.steps)

    def begins_at(self, step: int) -> bool:
        """Whether a stage after the first starts with step `step`."""
        return step > 0 and self.at(step)[1] == 0

    def learning_rate_at(self, step: int) -> float:
        """Return the rate of step `step`; each stage warms up and decays separately."""
        stage, own = self.at(step)
        return replanned_rate_at(own, stage.plans, stage.learning_rate, self.config.warmup_fraction)

    def epoch_at(self, step: int) -> float:
        """Return how many epochs of all stages are done after `step` steps."""
        epochs = 0.0
        for stage in self.stages:
            own = min(step, stage.steps)
            epochs, step = epochs + stage.epoch_at(own), step - own
        return epochs

    def evaluation_steps(self) -> frozenset[int]:
        """Return the steps after which the run is evaluated, including the last step of each stage."""
        found: set[int] = set()
        first = 0
        for stage in self.stages:
            if stage.steps:
                found |= {first + step for step in evaluation_steps(stage.steps, self.config.evaluations)}
            first += stage.steps
        return frozenset(found)

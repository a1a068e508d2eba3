"""What an optimizer step is made of, and the stages of a run that say it. Knows nothing of any one stage's method.

Steps are numbered through all stages. What a step does follows from configuration, seed and number alone, so that a
run resumed at any step goes on exactly as it would have.
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

RowsLoss = Callable[[Sequence[DatasetRow], Batch], ChunkLoss]  # of some rows and their batch


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of a step's objective: losses of the completion tokens of `rows`, summed and divided by `divisor`.

    Rows can be computed in any split, because the divisor is that of all of them. `tokens` carry loss; what is told
    is the mean over them, in nats.
    """

    name: str
    rows: Sequence[DatasetRow]
    tokens: int
    divisor: float
    loss: RowsLoss
    batch: Callable[[Sequence[DatasetRow]], Batch] = make_batch


@dataclass(frozen=True, slots=True)
class StepWork:
    """One optimizer step: the stage's own term, those beside it, and what else is worth telling of the step."""

    main: Term
    beside: tuple[Term, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    alarm: str = ""  # why the stage should not go on, if its next steps are like this one
    fault: str = ""  # why there is nothing to learn from in this step, in words: it is skipped like one without a loss

    @property
    def terms(self) -> tuple[Term, ...]:
        return (self.main, *self.beside)


class Stage(Protocol):
    """One method of making steps. Steps are counted from the stage's own first, 0."""

    @property
    def name(self) -> str: ...
    @property
    def steps(self) -> int: ...
    @property
    def plans(self) -> tuple[tuple[int, int], ...]:
        """From which of its steps on how many were planned; the last plan's are `steps`."""

    @property
    def learning_rate(self) -> float:
        """The highest of the stage."""

    def epoch_at(self, step: int) -> float:
        """How often the stage has gone through its questions after `step` steps."""

    def work(self, step: int, micro_batch_rows: int) -> StepWork:
        """Prepare step `step`; what has to be computed for it is computed `micro_batch_rows` rows at a time or so."""


@dataclass(frozen=True, slots=True)
class Course:
    """The stages of one run, one after another."""

    stages: tuple[Stage, ...]
    config: TrainingConfig
    costs: tuple[float, ...]  # about, of one step of each stage, in one unit

    def __post_init__(self) -> None:
        """Raises `UsageError` where there is nothing to do."""
        if not self.steps:
            raise UsageError("The run has no steps.", "", "Train for a fraction of an epoch at least, or on-policy.")

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def at(self, step: int) -> tuple[Stage, int]:
        """The stage of step `step`, and which of its own steps that is."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        raise IndexError(step)

    def cost(self, first: int, last: int) -> float:
        """Of the steps from `first` up to `last`: those of one stage may take many times those of another."""
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
        """Whether a stage after the first begins with step `step`."""
        return step > 0 and self.at(step)[1] == 0

    def learning_rate_at(self, step: int) -> float:
        """The rate of step `step`; each stage warms up and decays by itself."""
        stage, own = self.at(step)
        return replanned_rate_at(own, stage.plans, stage.learning_rate, self.config.warmup_fraction)

    def epoch_at(self, step: int) -> float:
        """How many epochs of all stages are behind after `step` steps."""
        epochs = 0.0
        for stage in self.stages:
            own = min(step, stage.steps)
            epochs, step = epochs + stage.epoch_at(own), step - own
        return epochs

    def evaluation_steps(self) -> frozenset[int]:
        """The steps after which the run is evaluated: those of each stage, its last included."""
        found: set[int] = set()
        first = 0
        for stage in self.stages:
            if stage.steps:
                found |= {first + step for step in evaluation_steps(stage.steps, self.config.evaluations)}
            first += stage.steps
        return frozenset(found)

"""What the training loop reports to its caller, and where the caller can interrupt it. Knows nothing of the loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from engine.records.run import CurvePoint
from engine.training.validation import Measurement


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """Measured at one optimizer step. `step` counts finished steps; `loss` is a mean per completion token, in nats."""

    step: int
    epoch: float
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    rss_mb: float
    steps: int
    seconds_left: float
    figures: Mapping[str, float]  # what else the step's stage reports


class Hooks(Protocol):
    """What the loop reports to its caller, and where the caller can interrupt it."""

    def on_step(self, metrics: StepMetrics) -> None: ...
    def on_validation(self, step: int, steps: int) -> None:
        """A validation pass starts, after `step` of `steps`."""

    def on_point(self, point: CurvePoint, measured: Measurement | None) -> None:
        """A new point of the curve with what was measured; or, without `measured`, an old one whose `best` changed."""

    def on_saved(self, step: int) -> None:
        """A checkpoint of this step is on disk: a killed run would resume from it."""

    def on_note(self, text: str) -> None: ...

    def save_first(self) -> bool:
        """Whether `rest` is about to block or raise, so that a checkpoint should be written first."""

    def rest(self) -> None:
        """Called between steps: may block while paused, and may raise to end the run."""

    def end_early(self) -> bool:
        """Whether the run should end early, as done; asked after every step."""

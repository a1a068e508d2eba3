"""What the training loop tells its caller, and where the caller may interrupt it. Knows nothing of the loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from engine.records.run import CurvePoint
from engine.training.validation import Measurement


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """Measured at one optimizer step. `step` counts finished steps; `loss` is a mean a completion token, in nats."""

    step: int
    epoch: float
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    rss_mb: float
    steps: int
    seconds_left: float
    figures: Mapping[str, float]  # what else the step's stage tells


class Hooks(Protocol):
    """What the loop tells its caller, and where the caller may interrupt it."""

    def on_step(self, metrics: StepMetrics) -> None: ...
    def on_point(self, point: CurvePoint, measured: Measurement | None) -> None:
        """A new point of the curve with what was measured; or, without it, an old one that is the best no longer."""

    def on_saved(self, step: int) -> None:
        """A checkpoint of this step is on the disk: from there a run that is killed goes on."""

    def on_note(self, text: str) -> None: ...

    def save_first(self) -> bool:
        """Whether `rest` is about to block or to raise, so that a checkpoint should be written before."""

    def rest(self) -> None:
        """Called between steps: may block while paused, and may raise to end the run."""

    def end_early(self) -> bool:
        """Whether the run should end well before its last step; asked after every step."""

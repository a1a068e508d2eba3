"""When a training has left its path: a loss or a gradient that blows up though it is finite. Pure.

A step is held against the steps before it of its own stage. One bad batch is no reason to stop, and gradients are
clipped in any case: who asks decides how many bad steps in a row are too many.
"""

from dataclasses import dataclass
from statistics import median

_REMEMBERED = 16
_FEWEST = 4  # steps to be held against
# Losses a token are never below 0, and a hard batch after easy ones may well have three times theirs.
_TIMES, _NATS = 4.0, 1.0
_GRADIENT_TIMES, _CLIPPED_TIMES = 100.0, 10.0


@dataclass(frozen=True, slots=True)
class Recent:
    """Losses, in nats a token, and gradient norms of the last good steps of a stage, the newest last."""

    losses: tuple[float, ...] = ()
    norms: tuple[float, ...] = ()

    def followed_by(self, loss: float, norm: float) -> "Recent":
        """The same with one more good step."""
        return Recent((*self.losses, loss)[-_REMEMBERED:], (*self.norms, norm)[-_REMEMBERED:])

    def fault(self, loss: float, norm: float, clipped_at: float) -> str:
        """What of a step has blown up, in words; empty where nothing has, or too little is known."""
        if len(self.losses) < _FEWEST:
            return ""
        usual = median(self.losses)
        if loss > _TIMES * usual + _NATS:
            return f"the loss rose from {usual:.2g} to {loss:.3g} nats a token"
        usual = median(self.norms)
        if norm > max(_GRADIENT_TIMES * usual, _CLIPPED_TIMES * clipped_at):
            return f"the gradient's norm rose from {usual:.2g} to {norm:.3g}"
        return ""

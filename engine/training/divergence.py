"""Detects a diverging training: a loss or gradient that blows up while still finite. Pure.

A step is compared with the previous steps of its own stage. One bad batch is no reason to stop, and gradients are
clipped anyway: the caller decides how many bad steps in a row are too many.
"""

from dataclasses import dataclass
from statistics import median

_REMEMBERED = 16
_FEWEST = 4  # previous steps needed for a comparison
# Losses per token are never below 0, and a hard batch after easy ones may well have three times their loss.
_TIMES, _NATS = 4.0, 1.0
_GRADIENT_TIMES, _CLIPPED_TIMES = 100.0, 10.0


@dataclass(frozen=True, slots=True)
class Recent:
    """Losses, in nats per token, and gradient norms of the last good steps of a stage, newest last."""

    losses: tuple[float, ...] = ()
    norms: tuple[float, ...] = ()

    def followed_by(self, loss: float, norm: float) -> "Recent":
        """Return the same with one more good step."""
        return Recent((*self.losses, loss)[-_REMEMBERED:], (*self.norms, norm)[-_REMEMBERED:])

    def fault(self, loss: float, norm: float, clipped_at: float) -> str:
        """Return what blew up in a step; empty if nothing did, or if there are too few steps to compare with."""
        if len(self.losses) < _FEWEST:
            return ""
        usual = median(self.losses)
        if loss > _TIMES * usual + _NATS:
            return f"the loss rose from {usual:.2g} to {loss:.3g} nats per token"
        usual = median(self.norms)
        if norm > max(_GRADIENT_TIMES * usual, _CLIPPED_TIMES * clipped_at):
            return f"the gradient norm rose from {usual:.2g} to {norm:.3g}"
        return ""

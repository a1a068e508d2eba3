"""The win rate at equal answer lengths. Pure; knows nothing of judges.

Judges prefer long answers. Method: Dubois et al., “Length-Controlled AlpacaEval” (arXiv 2404.04475): a logistic
regression of the outcome with an intercept and the length difference, squashed by a hyperbolic tangent of its standard
deviations; the win rate is predicted at difference 0. Their term for a question's difficulty is left out: it needs many
models on the same questions. A tie is half a win. The interval is Wald's on the logit with the robust (sandwich)
variance, which does not treat half wins as binomial counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.evaluation.statistics import NORMAL_97_5, Floats
from engine.records.interval import Interval

_STEPS = 50
_CONVERGED = 1e-10
_FLAT = 1e-9  # share of the squared trace below which lengths differ too little to distinguish from rounding
_SEPARATED = 12.0  # beyond this logit the outcomes are perfectly separated, and the fit diverges


@dataclass(frozen=True, slots=True)
class LengthControlled:
    """The win rate at equal lengths, or None with the reason."""

    win_rate: Interval | None
    note: str = ""


def length_controlled(scores: Sequence[float], longer: Sequence[float]) -> LengthControlled:
    """Return the length-controlled win rate of the first answers.

    `scores` has 1 for a win, 0.5 for a tie and 0 for a loss; `longer` is how much longer the first answer is, in any
    unit. One entry per pair. Raises ValueError if the two differ in number.
    """
    if len(scores) != len(longer):
        raise ValueError(f"{len(scores)} scores, {len(longer)} lengths")
    y, difference = np.asarray(scores, dtype=np.float64), np.asarray(longer, dtype=np.float64)
    if len(y) < 3:
        return LengthControlled(None, "Fewer than 3 pairs.")
    spread = float(difference.std())
    if spread == 0:
        return LengthControlled(None, "The length difference is the same in every pair.")
    design = np.column_stack((np.ones(len(y)), np.tanh(difference / spread)))
    fitted = _fit(design, y)
    if fitted is None:
        return LengthControlled(None, "The length predicts every outcome, or all outcomes are alike: no curve fits.")
    logit, error = fitted
    low, high = logit - NORMAL_97_5 * error, logit + NORMAL_97_5 * error
    return LengthControlled(Interval(*(0.5 + math.tanh(value / 2) / 2 for value in (logit, low, high))))


def _fit(design: Floats, y: Floats) -> tuple[float, float] | None:
    """The intercept and its robust standard error, by Newton's method; None if the likelihood has no maximum."""
    beta = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-design @ beta))
        hessian = design.T @ (design * (p * (1 - p))[:, None])
        if abs(float(np.linalg.det(hessian))) < max(1e-12, _FLAT * float(np.trace(hessian)) ** 2):
            return None
        step = np.linalg.solve(hessian, design.T @ (y - p))
        beta = beta + step
        if float(np.abs(beta).max()) > _SEPARATED:
            return None
        if float(np.abs(step).max()) < _CONVERGED:
            break
    else:
        return None
    p = 1 / (1 + np.exp(-design @ beta))
    bread = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
    # The intercept's variance of the sandwich, as a sum of squares: rounding cannot bring it below 0.
    return float(beta[0]), float(np.linalg.norm(design @ bread[0] * (y - p)))

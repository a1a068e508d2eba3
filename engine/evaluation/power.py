"""How many questions would decide, if the measured values stay the same. Pure; needs no library.

Every number is planned for a power of 80 %: four of five repetitions would decide. It is based on the measured value
and spread, which will change with more questions, so it is a plan and not a promise.
"""

import math
from bisect import bisect_left
from statistics import NormalDist

from engine.evaluation.significance import ALPHA
from engine.records.interval import Interval

POWER = 0.8
MOST_QUESTIONS = 1_000_000  # if more are needed, no number of questions is given

_NORMAL = NormalDist()
_Z_BOUND = _NORMAL.inv_cdf(1 - ALPHA / 2)  # of a 95 % interval's bounds
_Z_POWER = _NORMAL.inv_cdf(POWER)
# What the two questions that `statistics` adds widen the interval of a sum by: the variance with their 95 % bounds,
# which are ±√2 for a ratio and ±2√2 for a difference of shares.
ADDED_TO_RATIO, ADDED_TO_DIFFERENCE = 2 / _Z_BOUND**2, 8 / _Z_BOUND**2


def to_clear(distance: float, spread: float, *, bound: bool = True, added: float = 0.0) -> int | None:
    """Questions after which an interval's bound, or only the value without `bound`, is beyond a limit.

    `distance` is from the value to the limit, `spread` one question's standard deviation, `added` what the interval's
    two added questions widen it by. None if no number suffices: the value is on the limit or on its wrong side. Source:
    the normal theory of one mean, one-sided.
    """

    def clears(questions: int) -> bool:
        half = (_Z_BOUND if bound else 0.0) * math.sqrt(questions * spread**2 + added)
        room = distance * (questions + (2 if added else 0))
        return half + _Z_POWER * math.sqrt(questions) * spread <= room * (1 + 1e-9)

    if distance <= 0 or not clears(MOST_QUESTIONS):
        return None
    return 1 + bisect_left(range(1, MOST_QUESTIONS), True, key=clears)


def to_tell_apart(better: float, worse: float, alpha: float) -> int | None:
    """Questions after which McNemar's test distinguishes two arms at `alpha`, two-sided; None if no number suffices.

    `better` and `worse` are the discordant shares of the questions, 0–1. Source: Connor 1987, Biometrics 43, 207–211;
    the result is at least what the exact test needs to reach `alpha` at all.
    """
    discordant, apart = better + worse, abs(better - worse)
    if apart <= 0:
        return None
    z = _NORMAL.inv_cdf(1 - alpha / 2)
    planned = ((z * math.sqrt(discordant) + _Z_POWER * math.sqrt(max(0.0, discordant - apart**2))) / apart) ** 2
    least_discordant = math.ceil(math.log2(2 / alpha))  # all on one side: p = 2 / 2ⁿ
    return _sane(max(planned, least_discordant / discordant))


def spread_of(interval: Interval, questions: int, added: float) -> float:
    """One question's standard deviation, from the width of the 95 % interval over `questions` and two added ones.

    `added`: the variance that the two have in the sum.
    """
    whole = ((interval.high - interval.low) / (2 * _Z_BOUND) * (questions + 2)) ** 2
    return math.sqrt(max(0.0, whole - added) / questions)


def _sane(questions: float) -> int | None:
    return math.ceil(questions - 1e-9) if questions <= MOST_QUESTIONS else None

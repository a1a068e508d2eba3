"""Rates, recovered fraction and divergence with their 95 % intervals. Knows nothing of models, rules or the store.

Every bootstrap here uses the same resampling. Questions are the units: all samples of a question stay together, because
they are not independent, and so do all arms, because they answer the same question (the bootstrap is paired).
Questions are drawn with replacement within their topic, so that every resample keeps the mixture of topics: intervals
are for these topics, not for new ones. A topic with a single question would never vary: all such topics form one
stratum, and if there is only one, it joins the smallest other topic. Draws from m questions vary too little, by
(m − 1) / m, so the deviation of each stratum is scaled up.
The bounds of shares are those with two added questions, one of each outcome: near 0 and 1, and if all questions agree,
the questions alone would show too little of how much others may vary. For a student that recovers 0.90, the lower bound
is 0.90 or above, as a pass requires, in at most 3 % of evaluations of 36 to 200 questions (6 % for 60 in pairs); the
interval covers it in 92 to 97 %; without the scale and the added questions, in up to 22 %, and from 81 %.
Method: Efron & Tibshirani, “An Introduction to the Bootstrap”, chapters 13 (percentile interval) and 8 (strata); Rao &
Wu, J. American Statistical Association 83, 1988 (scale); Agresti & Caffo, American Statistician 54, 2000 (questions).
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.records.comparison import Outcome
from engine.records.evaluation import Rate
from engine.records.harness import TaskScore
from engine.records.interval import Interval

Floats = npt.NDArray[np.float64]

RESAMPLES = 10_000
NORMAL_97_5 = 1.959963984540054  # the standard normal's 97.5 % quantile
BLOCK = 1_000  # resamples drawn at once


@dataclass(frozen=True, slots=True)
class Recovered:
    """The recovered fraction over a number of questions, or `None` with the reason why it is undefined."""

    interval: Interval | None
    note: str
    questions: int


def wilson(passed: int, total: int) -> Rate:
    """`passed` of `total` with the 95 % Wilson score interval (Wilson 1927, without continuity correction).

    If `total` is 0, the rate is 0 with the interval 0–1. Raises ValueError unless 0 ≤ passed ≤ total.
    """
    if not 0 <= passed <= total:
        raise ValueError(f"{passed} passed of {total}")
    return _rate(passed, total, float(total))


def rate_of_samples(found: Iterable[tuple[int, bool]]) -> Rate:
    """How many answers pass, each given as (question, whether it passes), with a 95 % interval.

    Samples of one question are not independent trials: at temperature 0 they are a single trial. The Wilson interval
    is therefore computed for the effective number of answers, which lies between the number of questions and that of
    answers (design effect: Kish, “Survey Sampling”, 1965; with Wilson's interval: Dean & Pagano, J. Survey Statistics
    and Methodology 3, 2015). The agreement of the samples of a question is measured with two added questions, one with
    all samples passing and one with none: if all answers are alike, agreement cannot be measured, and the questions
    are the trials. Coverage is 93 to 98 % for 40 and 120 questions of three samples, at rates from 0.5 to 0.97 and any
    agreement; assuming independent trials, it would be 70 %.
    """
    passed: Counter[int] = Counter()
    samples: Counter[int] = Counter()
    for question, passes in found:
        passed[question] += passes
        samples[question] += 1
    total, questions = samples.total(), len(samples)
    if total == questions:
        return _rate(passed.total(), total, float(total))
    usual = total / questions
    counts = np.array([*samples.values(), usual, usual], dtype=np.float64)
    kept = np.array([*(passed[question] for question in samples), usual, 0.0], dtype=np.float64)
    size = float(counts.sum())
    rate = float(kept.sum()) / size
    between = float(np.square(kept - rate * counts).sum()) / size**2 * len(counts) / (len(counts) - 1)
    effect = between * size / (rate * (1 - rate))
    return _rate(passed.total(), total, min(max(total / effect, float(questions)), float(total)))


def _rate(passed: int, total: int, trials: float) -> Rate:
    """`passed` of `total` with the Wilson interval for `trials` independent trials."""
    if total == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0)
    rate, z2 = passed / total, NORMAL_97_5**2
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = NORMAL_97_5 / (1 + z2 / trials) * math.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials**2))
    # At the ends, the bounds are exactly 0 and 1; rounding would miss them by a few ulps.
    low = 0.0 if passed == 0 else max(0.0, centre - half)
    high = 1.0 if passed == total else min(1.0, centre + half)
    return Rate(passed, total, rate, low, high)


def recovered_fraction(
    topics: Sequence[str],
    unprompted: Sequence[float],
    reference: Sequence[float],
    distilled: Sequence[float],
    *,
    reference_name: str = "the prompted model",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Recovered:
    """(distilled − unprompted) / (reference − unprompted) of the mean pass share, with its 95 % bootstrap interval.

    Each sequence has one entry per question: its topic, and the share of its samples (0–1) that passed in that arm.
    Undefined if the denominator's own 95 % interval covers 0 or is below it: then the prompt is not shown to help, and
    there is nothing to recover. Resamples whose denominator is not positive (at most 2.5 % of them, by that condition)
    have no fraction and are left out of the percentiles.
    """
    if not topics:
        return Recovered(None, "No question was evaluated.", 0)
    base, top, student = (np.asarray(shares, dtype=np.float64) for shares in (unprompted, reference, distilled))
    gains = np.column_stack((student - base, top - base))
    fraction, gain = _ratio(topics, gains, seed, resamples)
    if fraction is None:
        more = (
            "less often" if gain.high < 0.0 else "no more often" if gain.value <= 0.0 else "not demonstrably more often"
        )
        points, bounds = _points(gain.value), f"{_points(gain.low)} to {_points(gain.high)}"
        who = f"{reference_name[0].upper()}{reference_name[1:]} passes every rule {more} than the unprompted model"
        measured = f"{points} points, 95\u00a0% interval {bounds}"
        return Recovered(None, f"{who}, so there is nothing to recover ({measured}).", len(topics))
    note = f"Paired bootstrap over {len(topics)} questions within topics, {resamples} resamples."
    return Recovered(fraction, note, len(topics))


def _points(share: float) -> str:
    """A difference of two shares in percentage points, with its sign."""
    text = f"{100 * abs(share):.1f}"
    return "0" if text == "0.0" else f"{'+' if share > 0 else '−'}{text}"


def plain_ratio(
    topics: Sequence[str],
    arm: Sequence[float],
    against: Sequence[float],
    *,
    seed: int = 0,
) -> Interval | None:
    """mean(arm) / mean(against) of two pass shares per question, with its 95 % bootstrap interval.

    None if the interval of mean(against) covers 0: this avoids a division by 0.
    """
    if not topics:
        return None
    columns = np.column_stack((np.asarray(arm, dtype=np.float64), np.asarray(against, dtype=np.float64)))
    return _ratio(topics, columns, seed)[0]


def _ratio(
    topics: Sequence[str], columns: Floats, seed: int, resamples: int = RESAMPLES
) -> tuple[Interval | None, Interval]:
    """The ratio of the sums of two columns (questions, 2) and the mean of the second, with their 95 % intervals.

    No ratio if the interval of the second mean covers 0 or is below it. Two questions with the mean of the second
    column are added for the bounds, one with all of it in the first column and one with none.
    """
    part, whole = (float(total) for total in columns.sum(axis=0))
    usual = whole / len(topics)
    sums = resampled_sums(topics, columns, seed, resamples, added=np.array([[usual, usual], [0.0, usual]]))
    mean = Interval(usual, *_percentiles((sums[:, 1] - 2 * usual) / len(topics)))
    if mean.low <= 0.0:
        return None, mean
    usable = sums[sums[:, 1] > 0.0]
    return _around(part / whole, usable[:, 0] / usable[:, 1]), mean


def _around(value: float, resampled: Floats) -> Interval:
    """A value with its 95 % interval. Added questions can move the bounds of a few questions past the value."""
    low, high = _percentiles(resampled)
    return Interval(value, min(low, value), max(high, value))


def mean_differences(topics: Sequence[str], differences: Floats, *, seed: int = 0) -> list[Interval]:
    """The mean of each column of `differences` (questions, m) with its 95 % paired bootstrap interval.

    A row holds, for one question, one arm's pass share minus the other's (−1 to 1), one column per rule. NaN means
    that the question has no result for that rule and counts in no resample. A column of NaN gives 0, from −1 to 1.
    Two questions are added for the bounds: one that only the one arm passes, and one that only the other passes.
    """
    measured = ~np.isnan(differences)
    width = differences.shape[1]
    columns = np.hstack((np.where(measured, differences, 0.0), measured))
    added = np.hstack((np.outer((1.0, -1.0), np.ones(width)), np.ones((2, width))))
    sums = np.vstack((columns.sum(axis=0), resampled_sums(topics, columns, seed, added=added)))
    found = []
    for total, count in zip(sums[:, :width].T, sums[:, width:].T, strict=True):
        if count[0] == 0:
            found.append(Interval(0.0, -1.0, 1.0))
            continue
        usable = count[1:] > 0.0
        means = np.clip(total[1:][usable] / count[1:][usable], -1.0, 1.0)
        found.append(_around(float(total[0] / count[0]), means))
    return found


def mean_by_question(
    topics: Sequence[str],
    sums: Sequence[float],
    counts: Sequence[int],
    *,
    seed: int = 0,
) -> Interval:
    """The mean of a quantity over all tokens, with its 95 % bootstrap interval over questions.

    `sums` and `counts` have one entry per question: the quantity summed over its tokens, and the number of tokens.
    Raises ValueError if there are no tokens.
    """
    columns = np.column_stack((np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)))
    total, tokens = (float(value) for value in columns.sum(axis=0))
    if tokens == 0:
        raise ValueError("no token to take a mean over")
    resampled = resampled_sums(topics, columns, seed)
    usable = resampled[resampled[:, 1] > 0.0]
    means = columns[columns[:, 1] > 0.0, 0] / columns[columns[:, 1] > 0.0, 1]
    low, high = _percentiles(np.clip(usable[:, 0] / usable[:, 1], means.min(), means.max()))
    return Interval(total / tokens, low, high)


def resampled_sums(
    topics: Sequence[str], values: Floats, seed: int, resamples: int = RESAMPLES, added: Floats | None = None
) -> Floats:
    """Column sums of `values` (questions, m) over each resample of the questions: (resamples, m).

    `added`: more questions (k, m), which form a stratum of their own.
    """
    generator = np.random.default_rng(seed % 2**64)  # it does not accept negative seeds
    sizes = Counter(topics)
    strata: dict[str | None, list[int]] = {}
    for index, topic in enumerate(topics):
        strata.setdefault(topic if sizes[topic] > 1 else None, []).append(index)
    if len(strata) > 1 and len(strata.get(None, ())) == 1:
        (lonely,) = strata.pop(None)
        min(strata.values(), key=len).append(lonely)
    sums: Floats = np.zeros((resamples, values.shape[1]))
    for stratum in (*(values[members] for members in strata.values()), *(() if added is None else (added,))):
        size, total = len(stratum), stratum.sum(axis=0)
        shares, scale = np.full(size, 1.0 / size), math.sqrt(size / (size - 1)) if size > 1 else 1.0
        for start in range(0, resamples, BLOCK):  # the draws of thousands of questions do not fit in memory at once
            block = sums[start : start + BLOCK]
            drawn = generator.multinomial(size, shares, size=len(block)) @ stratum
            block += total + scale * (drawn - total)
    return sums


def _percentiles(values: Floats) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def task_outcome(score: TaskScore) -> Outcome:
    """Whether a release is significantly better or worse than its base on a public task, at the 95 % level per metric.

    `undecided` if the difference is not significant, or if a standard error or the metric's direction is not known.
    """
    stderr = difference_stderr(score)
    difference = score.released.value - score.base.value
    if stderr is None or score.higher_is_better is None or abs(difference) <= NORMAL_97_5 * stderr:
        return "undecided"
    return "better" if (difference > 0) is score.higher_is_better else "worse"


def difference_stderr(score: TaskScore) -> float | None:
    """The standard error of the difference, treating the scores as unpaired; None if either error is not known."""
    if score.base.stderr is None or score.released.stderr is None:
        return None
    return math.hypot(score.base.stderr, score.released.stderr)

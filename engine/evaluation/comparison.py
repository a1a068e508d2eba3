"""Compares arms on the same questions: differences, exact tests, and how many more questions would decide. Pure.

The unit is the question: all of its samples count together, as one pass share, in both arms. What a judge left
undecided in one of the two counts in neither.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.evaluation.power import ADDED_TO_DIFFERENCE, spread_of, to_clear, to_tell_apart
from engine.evaluation.shares import pass_shares
from engine.evaluation.significance import ALPHA, holm, mcnemar_exact
from engine.evaluation.statistics import Floats, mean_differences
from engine.evaluation.verdict import MARGIN, MIN_QUESTIONS, ROUNDING
from engine.records.comparison import Comparison, Outcome, Paired, RulePaired
from engine.records.evaluation import ArmAnswer, ArmName, RuleRate
from engine.records.interval import Interval
from engine.records.question import Question
from engine.records.rule import Rule


def compare(
    rules: Sequence[Rule | RuleRate],
    questions: Sequence[Question],
    answers: Mapping[ArmName, Sequence[ArmAnswer]],
    pairs: Sequence[tuple[ArmName, ArmName]],
    seed: int,
) -> tuple[Comparison, ...]:
    """Compare each pair of arms, the first with the second. Both must have answered every question."""
    if not questions:
        return ()
    topics = [question.topic for question in questions]
    found = []
    for arm, against in pairs:
        shares = pass_shares(rules, questions, {each: answers[each] for each in (arm, against)})
        found.append(_compare(rules, topics, shares, arm, against, seed))
    return tuple(found)


def _compare(
    rules: Sequence[Rule | RuleRate],
    topics: Sequence[str],
    shares: Mapping[ArmName, Floats],
    arm: ArmName,
    against: ArmName,
    seed: int,
) -> Comparison:
    differences = shares[arm] - shares[against]
    measured = [int(count) for count in (~np.isnan(differences)).sum(axis=0)]
    intervals = mean_differences(topics, differences, seed=seed)
    better = [int(count) for count in (differences > 0).sum(axis=0)]
    worse = [int(count) for count in (differences < 0).sum(axis=0)]
    p = [mcnemar_exact(more, fewer) for more, fewer in zip(better, worse, strict=True)]
    corrected = [p[0], *holm(p[1:])]
    paired = [
        _paired(interval, more, fewer, (raw, held), questions, tests=1 if index == 0 else len(rules))
        for index, (interval, more, fewer, raw, held, questions) in enumerate(
            zip(intervals, better, worse, p, corrected, measured, strict=True)
        )
    ]
    by_rule = tuple(RulePaired(rule.id, each) for rule, each in zip(rules, paired[1:], strict=True))
    return Comparison(arm, against, paired[0], by_rule)


def _paired(
    difference: Interval, better: int, worse: int, p: tuple[float, float], questions: int, *, tests: int
) -> Paired:
    outcome: Outcome = "undecided"
    # Counts and mean can disagree: many small differences against few large ones.
    if p[1] < ALPHA and (better - worse) * difference.value > 0:
        outcome = "better" if difference.value > 0 else "worse"
    elif questions >= MIN_QUESTIONS and difference.low >= -MARGIN - ROUNDING:
        outcome = "kept"
    more: int | None = 0
    if outcome == "undecided":
        if not questions:
            return Paired(difference, better, worse, *p, outcome, None, 0)
        spread = spread_of(difference, questions, ADDED_TO_DIFFERENCE)
        kept = to_clear(difference.value + MARGIN, spread, added=ADDED_TO_DIFFERENCE)
        decisive = to_tell_apart(better / questions, worse / questions, ALPHA / max(tests, 1))
        needed = [max(number, MIN_QUESTIONS) for number in (kept, decisive) if number is not None]
        more = max(1, min(needed) - questions) if needed else None
    return Paired(difference, better, worse, *p, outcome, more, questions)

"""Arms held against each other on the same questions: differences, exact tests, and what more would decide. Pure.

The unit is the question: all of its samples count together, as one pass share, in both arms.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.evaluation.power import spread_of, to_clear, to_tell_apart
from engine.evaluation.scores import passes
from engine.evaluation.significance import ALPHA, holm, mcnemar_exact
from engine.evaluation.statistics import Floats, mean_differences
from engine.evaluation.verdict import MARGIN, MIN_QUESTIONS
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
    """Each pair of arms, the first held against the second. Both must have answered every question."""
    if not questions:
        return ()
    shares = {arm: pass_shares(rules, questions, found) for arm, found in answers.items()}
    topics = [question.topic for question in questions]
    return tuple(_compare(rules, topics, shares, arm, against, seed) for arm, against in pairs)


def pass_shares(
    rules: Sequence[Rule | RuleRate], questions: Sequence[Question], answers: Sequence[ArmAnswer]
) -> Floats:
    """(questions, 1 + rules): the share of a question's samples that keep every rule, then each rule; NaN without any.

    A sample counts for a rule where it was checked: a judge may have given no verdict on it.
    """
    row = {question.id: index for index, question in enumerate(questions)}
    column = {rule.id: index for index, rule in enumerate(rules, start=1)}
    kept: Floats = np.zeros((len(questions), 1 + len(rules)))
    samples: Floats = np.zeros((len(questions), 1 + len(rules)))
    for answer in answers:
        at = row[answer.question_id]
        samples[at, 0] += 1
        kept[at, 0] += passes(answer)
        for check in answer.checks:
            samples[at, column[check.rule_id]] += 1
            kept[at, column[check.rule_id]] += check.passed
    return np.divide(kept, samples, out=np.full_like(kept, np.nan), where=samples > 0)


def _compare(
    rules: Sequence[Rule | RuleRate],
    topics: Sequence[str],
    shares: Mapping[ArmName, Floats],
    arm: ArmName,
    against: ArmName,
    seed: int,
) -> Comparison:
    # Where one of the two has no verdict on any sample of a question, the question tells no difference.
    differences = np.nan_to_num(shares[arm] - shares[against], nan=0.0)
    intervals = mean_differences(topics, differences, seed=seed)
    better = [int(count) for count in (differences > 0).sum(axis=0)]
    worse = [int(count) for count in (differences < 0).sum(axis=0)]
    p = [mcnemar_exact(more, fewer) for more, fewer in zip(better, worse, strict=True)]
    corrected = [p[0], *holm(p[1:])]
    paired = [
        _paired(interval, more, fewer, (raw, held), len(topics), tests=1 if index == 0 else len(rules))
        for index, (interval, more, fewer, raw, held) in enumerate(
            zip(intervals, better, worse, p, corrected, strict=True)
        )
    ]
    by_rule = tuple(RulePaired(rule.id, each) for rule, each in zip(rules, paired[1:], strict=True))
    return Comparison(arm, against, paired[0], by_rule)


def _paired(
    difference: Interval, better: int, worse: int, p: tuple[float, float], questions: int, *, tests: int
) -> Paired:
    outcome: Outcome = "undecided"
    if p[1] < ALPHA and difference.value:
        outcome = "better" if difference.value > 0 else "worse"
    elif questions >= MIN_QUESTIONS and difference.low >= -MARGIN:
        outcome = "kept"
    more: int | None = 0
    if outcome == "undecided":
        kept = to_clear(difference.value + MARGIN, spread_of(difference, questions))
        told = to_tell_apart(better / questions, worse / questions, ALPHA / max(tests, 1))
        needed = [max(number, MIN_QUESTIONS) for number in (kept, told) if number is not None]
        more = max(1, min(needed) - questions) if needed else None
    return Paired(difference, better, worse, *p, outcome, more)

"""Scores stored answers: pure arithmetic over records. Knows nothing of models or the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.evaluation.shares import pass_shares, undecided
from engine.evaluation.statistics import Recovered, plain_ratio, rate_of_samples, recovered_fraction, wilson
from engine.evaluation.verdict import reference_text
from engine.records.evaluation import ArmAnswer, ArmName, ArmScore, Divergence, Rate, RuleRate
from engine.records.interval import Interval
from engine.records.question import Question
from engine.records.rule import Rule, passes_all


@dataclass(frozen=True, slots=True)
class ArmMeasures:
    """Measurements of an arm that are not in its answers."""

    kl_to_prompted: Divergence | None
    ttft_ms_p50: float | None
    tokens_per_second_p50: float | None


def score_arm(rules: Sequence[Rule], answers: Sequence[ArmAnswer], measures: ArmMeasures) -> ArmScore:
    """Return the rates of one arm's answers, with intervals that account for several samples per question.

    An answer without the judge's verdict on a rubric does not count for that rule, nor for all rules together.
    """
    found: dict[int, list[tuple[int, bool]]] = {rule.id: [] for rule in rules}
    for answer in answers:
        for check in answer.checks:
            found[check.rule_id].append((answer.question_id, check.passed))
    whole = _decided(rules, answers)
    return ArmScore(
        rules=tuple(RuleRate(rule.id, rule.text, rule.check.kind, rate_of_samples(found[rule.id])) for rule in rules),
        all_rules=rate_of_samples((answer.question_id, passes_all(answer.checks)) for answer in whole),
        kl_to_prompted=measures.kl_to_prompted,
        prompt_tokens_mean=_mean([answer.prompt_tokens for answer in answers]),
        completion_tokens_mean=_mean([answer.completion_tokens for answer in answers]),
        ttft_ms_p50=measures.ttft_ms_p50,
        tokens_per_second_p50=measures.tokens_per_second_p50,
        cut_off=sum(answer.finish_reason == "length" for answer in answers),
    )


def recovered_of_answers(
    rules: Sequence[Rule],
    questions: Sequence[Question],
    answers: Mapping[ArmName, Sequence[ArmAnswer]],
    reference: ArmName,
    seed: int,
) -> Recovered:
    """Return the recovered fraction, from each arm's share of samples that pass every rule.

    It covers the questions for which all three arms have samples with every rule decided.
    """
    topics, shares = _topics_and_shares(rules, questions, answers, ("unprompted", reference, "distilled"))
    if questions and not topics:
        return Recovered(None, "No question has every rule decided in every arm.", 0)
    return recovered_fraction(topics, *shares, reference_name=reference_text(reference), seed=seed)


def ratio_of_answers(
    rules: Sequence[Rule],
    questions: Sequence[Question],
    answers: Mapping[ArmName, Sequence[ArmAnswer]],
    reference: ArmName,
    seed: int,
) -> Interval | None:
    """Return the student's all-rules rate as a share of the reference's; None if the reference's may be 0."""
    topics, (student, top) = _topics_and_shares(rules, questions, answers, ("distilled", reference))
    return plain_ratio(topics, student, top, seed=seed)


def ceiling(rules: Sequence[Rule], answers: Sequence[ArmAnswer]) -> Rate | None:
    """Return how far the reference agrees with its own second sample.

    Among the questions whose first sample (0) passes every rule, this is the share whose second sample (1) passes too.
    A student that samples from the same distribution cannot agree more often. None with fewer than two samples per
    question, or if no first sample passes. Undecided samples do not count.
    """
    whole = _decided(rules, answers)
    second = {answer.question_id: answer for answer in whole if answer.sample == 1}
    pairs = [
        second[answer.question_id]
        for answer in whole
        if answer.sample == 0 and passes_all(answer.checks) and answer.question_id in second
    ]
    return wilson(sum(passes_all(answer.checks) for answer in pairs), len(pairs)) if pairs else None


def _decided(rules: Sequence[Rule], answers: Sequence[ArmAnswer]) -> list[ArmAnswer]:
    numbers = {rule.id for rule in rules}
    return [answer for answer in answers if not undecided(numbers, answer)]


def _topics_and_shares(
    rules: Sequence[Rule],
    questions: Sequence[Question],
    answers: Mapping[ArmName, Sequence[ArmAnswer]],
    arms: Sequence[ArmName],
) -> tuple[list[str], list[list[float]]]:
    """The topic of each question that has a result in every arm, and its pass share by arm."""
    found = pass_shares(rules, questions, {arm: answers[arm] for arm in arms})
    shares = np.array([found[arm][:, 0] for arm in arms])
    complete = ~np.isnan(shares).any(axis=0)
    topics = [question.topic for question, has_all in zip(questions, complete, strict=True) if has_all]
    return topics, shares[:, complete].tolist()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0

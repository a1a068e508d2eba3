"""From stored answers to an evaluation: pure arithmetic over records. Knows nothing of models or the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.evaluation.statistics import Recovered, plain_ratio, recovered_fraction, wilson
from engine.records.evaluation import ArmAnswer, ArmName, ArmScore, Divergence, Rate, RuleRate
from engine.records.interval import Interval
from engine.records.question import Question
from engine.records.rule import Rule


@dataclass(frozen=True, slots=True)
class ArmMeasures:
    """What is measured about an arm beside its answers."""

    kl_to_prompted: Divergence | None
    ttft_ms_p50: float
    tokens_per_second_p50: float


def score_arm(rules: Sequence[Rule], answers: Sequence[ArmAnswer], measures: ArmMeasures) -> ArmScore:
    """The rates of one arm's answers; every sample of every question counts as one trial of the Wilson interval.

    An answer on which the judge of a rubric gave no verdict is no trial of that rule.
    """
    found: dict[int, list[bool]] = {rule.id: [] for rule in rules}
    for answer in answers:
        for check in answer.checks:
            found[check.rule_id].append(check.passed)
    return ArmScore(
        rules=tuple(
            RuleRate(rule.id, rule.text, rule.check.kind, wilson(sum(found[rule.id]), len(found[rule.id])))
            for rule in rules
        ),
        all_rules=wilson(sum(passes(answer) for answer in answers), len(answers)),
        kl_to_prompted=measures.kl_to_prompted,
        prompt_tokens_mean=_mean([answer.prompt_tokens for answer in answers]),
        completion_tokens_mean=_mean([answer.completion_tokens for answer in answers]),
        ttft_ms_p50=measures.ttft_ms_p50,
        tokens_per_second_p50=measures.tokens_per_second_p50,
    )


def recovered_of_answers(
    questions: Sequence[Question], answers: Mapping[ArmName, Sequence[ArmAnswer]], reference: ArmName, seed: int
) -> Recovered:
    """The recovered fraction over the questions, from each arm's share of samples that keep every rule."""
    shares = {arm: _pass_shares(questions, answers[arm]) for arm in ("unprompted", reference, "distilled")}
    topics = [question.topic for question in questions]
    return recovered_fraction(topics, shares["unprompted"], shares[reference], shares["distilled"], seed=seed)


def ratio_of_answers(
    questions: Sequence[Question], answers: Mapping[ArmName, Sequence[ArmAnswer]], reference: ArmName, seed: int
) -> Interval | None:
    """The student's all-rules rate as a share of the reference's; None where the reference's may be 0."""
    student, top = (_pass_shares(questions, answers[arm]) for arm in ("distilled", reference))
    return plain_ratio([question.topic for question in questions], student, top, seed=seed)


def ceiling(answers: Sequence[ArmAnswer]) -> Rate | None:
    """The reference against its own second sample: how far it agrees with itself.

    Of the questions whose first sample (0) keeps every rule, the share whose second sample (1) keeps them too. A
    student that is drawn once more from the same distribution can agree no better. `None` with fewer than two samples
    a question, or where no first sample passes.
    """
    second = {answer.question_id: answer for answer in answers if answer.sample == 1}
    pairs = [
        second[answer.question_id]
        for answer in answers
        if answer.sample == 0 and passes(answer) and answer.question_id in second
    ]
    return wilson(sum(passes(answer) for answer in pairs), len(pairs)) if pairs else None


def passes(answer: ArmAnswer) -> bool:
    """Whether the answer keeps every rule."""
    return all(check.passed for check in answer.checks)


def _pass_shares(questions: Sequence[Question], answers: Sequence[ArmAnswer]) -> list[float]:
    trials: dict[int, list[bool]] = {question.id: [] for question in questions}
    for answer in answers:
        trials[answer.question_id].append(passes(answer))
    return [_mean(trials[question.id]) for question in questions]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0

"""Paired comparison of two arms: significance, intervals and power against scipy and statsmodels, and outcomes."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap

with warnings.catch_warnings():  # from pandas, which statsmodels imports
    warnings.simplefilter("ignore")
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.power import NormalIndPower

from engine.evaluation.comparison import compare
from engine.evaluation.measured_json import comparison_json
from engine.evaluation.power import ADDED_TO_DIFFERENCE, ADDED_TO_RATIO, spread_of, to_clear, to_tell_apart
from engine.evaluation.significance import holm, mcnemar_exact
from engine.evaluation.statistics import mean_differences, plain_ratio
from engine.evaluation.verdict import MARGIN, more_questions, verdict
from engine.records.comparison import Paired
from engine.records.evaluation import ArmAnswer
from engine.records.interval import Interval
from engine.records.prompt import Message
from engine.records.question import Question
from tests.engine.evaluation.handmade_evaluations import RULES, arm_answer, unjudged


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_equals_statsmodels_and_scipy(better: int, worse: int) -> None:
    theirs = mcnemar([[7, better], [worse, 3]], exact=True).pvalue
    assert mcnemar_exact(better, worse) == pytest.approx(min(1.0, float(theirs)), rel=1e-9)
    if better + worse:
        assert mcnemar_exact(better, worse) == pytest.approx(binomtest(better, better + worse).pvalue, rel=1e-9)


def test_mcnemar_stays_finite_for_thousands_of_questions() -> None:
    assert mcnemar_exact(6_000, 4_000) < 1e-80
    assert mcnemar_exact(0, 0) == mcnemar_exact(20_000, 20_000) == 1.0


def holm_by_definition(p_values: list[float]) -> list[float]:
    """Multiply each p by the number of values not below it, then take the running maximum."""
    alone = {p: min(1.0, p * sum(other >= p for other in p_values)) for p in p_values}
    return [max(alone[other] for other in p_values if other <= p) for p in p_values]


@given(st.lists(st.floats(0, 1), max_size=40))
def test_holm_equals_its_definition(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(holm_by_definition(p_values), abs=1e-12)


def test_holm_equals_statsmodels() -> None:
    p_values = list(np.random.default_rng(1).random(40) ** 4)  # only one list: every call collects garbage
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]), abs=1e-12)


@pytest.mark.parametrize("questions", [60, 240])
def test_bootstrap_of_paired_differences_equals_scipys(questions: int) -> None:
    generator = np.random.default_rng(questions)
    arm, against = generator.binomial(3, 0.8, questions) / 3, generator.binomial(3, 0.9, questions) / 3
    differences = arm - against
    (ours,) = mean_differences(["one"] * questions, differences[:, None], seed=1)
    # Two questions are added for the bounds, one for each arm, as a stratum of their own.
    added = np.random.default_rng(2).choice([1.0, -1.0], (10_000, 2)).sum(axis=1) * math.sqrt(2)
    theirs = bootstrap(
        (differences,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(2)
    ).bootstrap_distribution
    total, scale = differences.sum(), math.sqrt(questions / (questions - 1))
    means = (total + scale * (theirs * questions - total) + added) / (questions + 2)
    assert ours.value == pytest.approx(float(np.mean(arm) - np.mean(against)))
    assert (ours.low, ours.high) == pytest.approx(tuple(np.percentile(means, (2.5, 97.5))), abs=0.004)


@pytest.mark.parametrize(("questions", "topic_size"), [(40, 2), (40, 40), (132, 2)])
def test_rule_that_lost_ten_points_is_rarely_called_kept(questions: int, topic_size: int) -> None:
    topics = [str(index // topic_size) for index in range(questions)]
    losses = -np.random.default_rng(questions).binomial(1, MARGIN, (questions, 500)).astype(float)
    kept = np.mean([interval.low >= -MARGIN for interval in mean_differences(topics, losses)])
    assert kept < 0.05  # 2.5 % expected; without the scale and the added questions, it is 8 to 24 %


def test_plain_ratio_equals_scipys_paired_bootstrap_and_is_undefined_over_zero() -> None:
    generator = np.random.default_rng(5)
    arm, against = generator.binomial(3, 0.8, 150) / 3, generator.binomial(3, 0.9, 150) / 3
    ours = plain_ratio(["one"] * 150, list(arm), list(against), seed=1)
    theirs = bootstrap(
        (np.append(arm, [against.mean(), 0]), np.append(against, [against.mean()] * 2)),
        lambda a, b, axis: a.mean(axis=axis) / b.mean(axis=axis), paired=True, vectorized=True,
        n_resamples=10_000, method="percentile", rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    assert ours is not None
    assert ours.value == pytest.approx(arm.mean() / against.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)
    assert plain_ratio(["one"] * 4, [1.0] * 4, [0.0] * 4) is None
    assert plain_ratio([], [], []) is None


@given(st.floats(0.01, 0.3), st.floats(0.05, 1.0))
def test_questions_planned_for_a_bound_equal_statsmodels(distance: float, spread: float) -> None:
    ours = to_clear(distance, spread)
    assert ours is not None
    power = [
        NormalIndPower().power(distance / spread, questions, 0.025, ratio=0, alternative="larger")
        for questions in (ours, ours - 1)
        if questions
    ]
    assert power[0] >= 0.8 - 1e-9
    assert all(less < 0.8 for less in power[1:])
    assert to_clear(-distance, spread) is None
    assert to_clear(1e-6, spread) is None


@pytest.mark.parametrize(("better", "worse", "alpha"), [(0.1, 0.02, 0.05), (0.02, 0.12, 0.01), (0.2, 0.0, 0.005)])
def test_questions_planned_for_mcnemars_test_give_about_80_percent_power(
    better: float, worse: float, alpha: float
) -> None:
    questions = to_tell_apart(better, worse, alpha)
    assert questions is not None
    draws = np.random.default_rng(0).multinomial(questions, [better, worse, 1 - better - worse], 4_000)
    pairs = {tuple(pair) for pair in draws[:, :2].tolist()}
    significant = {pair: mcnemar_exact(*pair) < alpha for pair in pairs}
    power = np.mean([significant[tuple(pair)] for pair in draws[:, :2].tolist()])
    assert 0.68 < power < 0.92  # Connor's plan is for the asymptotic test; the exact one is slightly more conservative
    assert to_tell_apart(0.1, 0.1, alpha) is None


def test_questions_planned_for_a_verdict_give_about_80_percent_power() -> None:
    """A student that recovers 0.90: with the planned number of questions, about 80 % of repetitions fail it."""
    generator = np.random.default_rng(4)
    value, spread = 0.90, 0.3
    half = 1.96 * math.sqrt(100 * spread**2 + ADDED_TO_RATIO) / 102
    interval = Interval(value, value - half, value + half)
    assert spread_of(interval, 100, ADDED_TO_RATIO) == pytest.approx(spread, rel=1e-3)
    more = more_questions(interval, None, 100)
    assert more
    drawn = generator.binomial(100 + more, 0.90, 4_000) / (100 + more)
    failed = drawn + 1.96 * np.sqrt(drawn * (1 - drawn) / (100 + more)) < 0.95
    assert 0.7 < failed.mean() < 0.9


@pytest.mark.parametrize(
    ("interval", "questions", "expected"),
    [
        (Interval(1.0, 0.95, 1.05), 120, 0),
        (Interval(0.5, 0.4, 0.6), 120, 0),
        (Interval(1.0, 1.0, 1.0), 10, 25),
        (Interval(0.95, 0.85, 1.05), 120, None),  # exactly on the limit: no number of questions decides
        (None, 120, None),
    ],
)
def test_more_questions_are_planned_only_if_they_would_decide(
    interval: Interval | None, questions: int, expected: int | None
) -> None:
    assert more_questions(interval, None, questions) == expected
    assert (expected == 0) == (verdict(interval, questions) != "undecided")


def test_plan_targets_the_prompts_gain_while_that_is_undecided() -> None:
    gain = Paired(Interval(-0.1, -0.24, 0.04), 5, 9, 0.4, 0.4, "undecided", 3)
    planned = to_clear(0.1, spread_of(gain.difference, 40, ADDED_TO_DIFFERENCE))
    assert planned is not None
    assert more_questions(None, gain, 40) == planned - 40


QUESTIONS = [Question((Message("user", str(number)),), topic="one", id=number) for number in range(1, 61)]


def answers(arm: str, first: int, second: int, samples: int = 2) -> list[ArmAnswer]:
    """Answers of an arm that passes rule 1 in `first` of 60 questions and rule 2 in `second`."""
    return [
        arm_answer(arm, question.id, sample, question.id <= first, question.id <= second)
        for question in QUESTIONS
        for sample in range(samples)
    ]


def test_comparison_counts_questions_and_names_the_outcome_of_each_rule() -> None:
    arms = {"prompted": answers("prompted", 60, 58), "distilled": answers("distilled", 60, 40)}
    (found,) = compare(RULES, QUESTIONS, arms, [("distilled", "prompted")], seed=0)
    same, lost = (each.paired for each in found.rules)
    assert (same.better, same.worse, same.p, same.outcome, same.more_questions) == (0, 0, 1.0, "kept", 0)
    assert (lost.better, lost.worse, lost.outcome) == (0, 18, "worse")
    assert lost.difference.value == pytest.approx(-0.3)
    assert lost.p_holm == pytest.approx(2 * lost.p)
    assert lost.p == mcnemar_exact(0, 18)
    assert found.all_rules.worse == 18
    (reversed_pair,) = compare(RULES, QUESTIONS, arms, [("prompted", "distilled")], seed=0)
    assert reversed_pair.rules[1].paired.outcome == "better"
    assert comparison_json(found)["against"] == "prompted"


def test_no_better_or_worse_if_counts_and_mean_disagree() -> None:
    """Twenty questions are a little better, seven much worse."""
    before_and_after = [(3, 0)] * 7 + [(2, 3)] * 20 + [(3, 3)] * 33  # of three samples
    passed = dict(enumerate(before_and_after, start=1))
    arms = {
        arm: [
            arm_answer(arm, question.id, sample, sample < passed[question.id][index], True)
            for question in QUESTIONS
            for sample in range(3)
        ]
        for index, arm in enumerate(("prompted", "distilled"))
    }
    (found,) = compare(RULES, QUESTIONS, arms, [("distilled", "prompted")], seed=0)
    paired = found.all_rules
    assert (paired.better, paired.worse) == (20, 7)
    assert paired.p < 0.05
    assert paired.difference.value < 0
    assert paired.outcome in ("undecided", "kept")


def test_questions_without_a_verdict_in_one_arm_are_not_compared() -> None:
    """Fifteen questions without a verdict on the student's second rule count as if they had not been asked."""
    arms = {"prompted": answers("prompted", 60, 60), "distilled": answers("distilled", 60, 40)}
    arms["distilled"] = [unjudged(each) if each.question_id <= 15 else each for each in arms["distilled"]]
    (found,) = compare(RULES, QUESTIONS, arms, [("distilled", "prompted")], seed=0)
    first, second = (each.paired for each in found.rules)
    rest = {name: [each for each in found if each.question_id > 15] for name, found in arms.items()}
    (alone,) = compare(RULES, QUESTIONS[15:], rest, [("distilled", "prompted")], seed=0)
    assert [each.questions for each in (first, second, found.all_rules)] == [60, 45, 45]
    for paired, expected in ((second, alone.rules[1].paired), (found.all_rules, alone.all_rules)):
        assert paired.difference.value == pytest.approx(expected.difference.value) == pytest.approx(-20 / 45)
        assert paired.difference.low == pytest.approx(expected.difference.low, abs=0.03)
        assert (paired.worse, paired.p, paired.outcome) == (20, expected.p, "worse")
    arms["distilled"] = list(map(unjudged, answers("distilled", 60, 40)))
    (unjudged_arm,) = compare(RULES, QUESTIONS, arms, [("distilled", "prompted")], seed=0)
    assert unjudged_arm.rules[1].paired == Paired(Interval(0.0, -1.0, 1.0), 0, 0, 1.0, 1.0, "undecided", None, 0)
    assert unjudged_arm.rules[0].paired.outcome == "kept"


def test_undecided_sample_does_not_exclude_the_others_of_its_question() -> None:
    """Sample 0 of both arms is left out, so sample 1 alone decides the question, and there the arms agree."""
    arms = {
        "prompted": [arm_answer("prompted", 1, 0, True, True), arm_answer("prompted", 1, 1, True, True)],
        "distilled": [unjudged(arm_answer("distilled", 1, 0, False, False)), arm_answer("distilled", 1, 1, True, True)],
    }
    (found,) = compare(RULES, QUESTIONS[:1], arms, [("distilled", "prompted")], seed=0)
    assert (found.all_rules.worse, found.all_rules.difference.value) == (0, 0.0)
    assert found.rules[0].paired.difference.value == -0.5, "the first rule has a verdict in every sample"


def test_samples_do_not_count_as_questions() -> None:
    arms = {"prompted": answers("prompted", 60, 60, 9), "distilled": answers("distilled", 60, 57, 9)}
    (found,) = compare(RULES, QUESTIONS, arms, [("distilled", "prompted")], seed=0)
    assert (found.rules[1].paired.worse, found.rules[1].paired.p) == (3, 0.25)


def test_undecided_rule_states_how_many_more_questions_would_decide() -> None:
    arms = {"prompted": answers("prompted", 60, 60), "distilled": answers("distilled", 60, 55)}
    (found,) = compare(RULES, QUESTIONS, arms, [("distilled", "prompted")], seed=0)
    undecided = found.rules[1].paired
    assert undecided.outcome == "undecided"
    assert undecided.more_questions is not None
    assert 1 <= undecided.more_questions < 300
    few = QUESTIONS[:10]
    short = {name: [each for each in found if each.question_id <= 10] for name, found in arms.items()}
    (found,) = compare(RULES, few, short, [("distilled", "prompted")], seed=0)
    assert found.rules[0].paired.more_questions == 25  # ten questions are too few, even if all agree

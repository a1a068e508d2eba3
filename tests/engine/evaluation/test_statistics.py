"""Rates, intervals and the recovered fraction: against scipy, closed forms, and their properties."""

from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from engine.evaluation.statistics import (
    Recovered,
    mean_by_question,
    rate_of_samples,
    recovered_fraction,
    resampled_sums,
    wilson,
)
from engine.evaluation.verdict import PASS_LOW, verdict

FEW_RESAMPLES = 400  # enough if only properties are checked


@given(st.integers(1, 2_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_equals_scipy(counts: tuple[int, int]) -> None:
    passed, total = counts
    rate = wilson(passed, total)
    theirs = binomtest(passed, total).proportion_ci(confidence_level=0.95, method="wilson")
    assert (rate.passed, rate.total, rate.rate) == (passed, total, passed / total)
    assert rate.low == pytest.approx(theirs.low, abs=1e-12)
    assert rate.high == pytest.approx(theirs.high, abs=1e-12)
    assert 0.0 <= rate.low <= rate.rate <= rate.high <= 1.0


def test_wilson_of_no_trials_is_0_to_1_and_impossible_counts_are_refused() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 passed of 2"):
        wilson(3, 2)


def _samples(passes: Sequence[int], samples: int) -> list[tuple[int, bool]]:
    return [(question, sample < passed) for question, passed in enumerate(passes) for sample in range(samples)]


@given(st.lists(st.booleans(), min_size=1, max_size=200), st.integers(1, 5))
def test_samples_that_always_agree_give_the_interval_of_one_sample(passed: list[bool], samples: int) -> None:
    rate = rate_of_samples(_samples([samples * passed for passed in passed], samples))
    single = wilson(sum(passed), len(passed))
    assert (rate.passed, rate.total) == (samples * single.passed, samples * single.total)
    assert rate.low == pytest.approx(single.low)
    assert rate.high == pytest.approx(single.high)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_interval_of_samples_is_at_least_as_wide_as_that_of_independent_answers(passed: list[int]) -> None:
    rate = rate_of_samples(_samples(passed, 3))
    answers = wilson(sum(passed), 3 * len(passed))
    assert 0.0 <= rate.low <= rate.rate <= rate.high <= 1.0
    assert (rate.rate, rate.total) == (answers.rate, answers.total)
    assert rate.low <= answers.low + 1e-12
    assert rate.high >= answers.high - 1e-12
    if len(set(passed)) == 1 and passed[0] in (0, 3):
        questions = wilson(sum(passed) // 3, len(passed))
        assert (rate.low, rate.high) == (questions.low, questions.high)


@pytest.mark.parametrize("agreement", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("truth", [0.8, 0.97])
def test_interval_of_samples_covers_the_true_rate_at_any_agreement(agreement: float, truth: float) -> None:
    covered, trials = 0, 300
    for trial in range(trials):
        generator = np.random.default_rng(trial)
        if agreement == 1.0:
            passed = 3 * (generator.random(60) < truth)
        elif agreement == 0.0:
            passed = generator.binomial(3, truth, 60)
        else:
            concentration = (1 - agreement) / agreement
            passed = generator.binomial(3, generator.beta(truth * concentration, (1 - truth) * concentration, 60))
        rate = rate_of_samples(_samples([int(each) for each in passed], 3))
        covered += rate.low <= truth <= rate.high
    assert covered >= 0.91 * trials  # 95 % expected; a binomial falls below 91 % once in 600 times


def test_rate_of_no_samples_is_0_to_1() -> None:
    assert (rate_of_samples([]).low, rate_of_samples([]).high) == (0.0, 1.0)


def _shares(generator: np.random.Generator, questions: int, rate: float, samples: int = 3) -> list[float]:
    return [float(value) for value in generator.binomial(samples, rate, questions) / samples]


def test_recovered_fraction_is_the_ratio_of_gains_with_an_interval_of_known_width() -> None:
    generator = np.random.default_rng(3)
    questions, topics = 400, [f"topic {index % 20}" for index in range(400)]
    base, top = [0.0] * questions, [1.0] * questions
    student = _shares(generator, questions, 0.9)
    result = recovered_fraction(topics, base, top, student, seed=1)
    assert result.interval is not None
    # With a fixed denominator of 1 the fraction is a plain mean, whose standard error is known.
    error = float(np.std(student)) / questions**0.5
    assert result.interval.value == pytest.approx(np.mean(student))
    assert result.interval.low == pytest.approx(result.interval.value - 1.96 * error, abs=0.004)
    assert result.interval.high == pytest.approx(result.interval.value + 1.96 * error, abs=0.004)


def test_recovered_interval_covers_the_true_value_about_95_percent_of_the_time() -> None:
    covered = 0
    topics = [f"topic {index % 10}" for index in range(120)]
    for trial in range(100):
        generator = np.random.default_rng(trial)
        arms = [_shares(generator, 120, rate) for rate in (0.1, 0.9, 0.82)]
        interval = recovered_fraction(topics, *arms, seed=trial, resamples=FEW_RESAMPLES).interval
        assert interval is not None
        covered += interval.low <= 0.9 <= interval.high
    assert covered >= 87  # 95 expected; a binomial falls below 87 once in 1,500 times


@pytest.mark.parametrize(("questions", "topic_size"), [(36, 36), (40, 2), (60, 4)])
def test_student_on_the_margin_rarely_passes(questions: int, topic_size: int) -> None:
    topics = [str(index // topic_size) for index in range(questions)]
    base, top, passes = [0.0] * questions, [1.0] * questions, 0
    for trial in range(300):
        student = _shares(np.random.default_rng(trial), questions, PASS_LOW, samples=1)
        found = recovered_fraction(topics, base, top, student, seed=trial, resamples=FEW_RESAMPLES)
        passes += verdict(found.interval, questions) == "pass"
    assert passes <= 14  # 2 % expected; without the scale and the added questions, it is 11, 22 and 14 %


def test_samples_of_one_question_are_not_treated_as_independent() -> None:
    """If all samples of a question agree, the interval is that of the questions, not of the answers."""
    generator = np.random.default_rng(0)
    questions = 200
    agreed = [float(value) for value in generator.binomial(1, 0.8, questions)]
    mixed = _shares(generator, questions, 0.8, samples=9)
    topics, base, top = ["one"] * questions, [0.0] * questions, [1.0] * questions
    wide, narrow = (recovered_fraction(topics, base, top, shares).interval for shares in (agreed, mixed))
    assert wide is not None
    assert narrow is not None
    assert (wide.high - wide.low) > 2 * (narrow.high - narrow.low)


def test_resampling_is_stratified_by_topic() -> None:
    """Topics without variation within them give hardly any width; without strata the interval would be wide."""
    topics = ["easy"] * 30 + ["hard"] * 30
    student = [1.0] * 30 + [0.0] * 30
    stratified = recovered_fraction(topics, [0.0] * 60, [1.0] * 60, student).interval
    assert stratified is not None
    width = 2 * 2**0.5 / 62  # that of the two added questions alone
    assert astuple(stratified) == pytest.approx((0.5, 0.5 - width / 2, 0.5 + width / 2))
    single_questions = recovered_fraction([str(index) for index in range(60)], [0.0] * 60, [1.0] * 60, student).interval
    assert single_questions is not None
    # Topics with one question share a stratum; otherwise they would never vary.
    assert single_questions.high - single_questions.low > 0.15
    one_single = recovered_fraction(
        ["a"] * 20 + ["b"] * 39 + ["c"], [0.0] * 60, [1.0] * 60, [1.0] * 59 + [0.0]
    ).interval
    assert one_single is not None
    assert one_single.low < 1 - 1 / 60 < one_single.high  # also if only one topic has a single question


@pytest.mark.parametrize(
    ("base", "top", "reason"),
    [
        ([0.5] * 40, [0.5] * 40, "no more often than the unprompted model, so there is nothing to recover (0 points"),
        ([0.0, 1.0] * 20, [1.0, 0.0] * 20, "no more often"),
        ([0.0] * 40, [0.0] * 39 + [1.0], "not demonstrably more often"),
        ([1.0] * 40, [0.2] * 40, "less often than the unprompted model, so there is nothing to recover (−80.0 points"),
        ([], [], "No question"),
    ],
)
def test_recovered_fraction_is_undefined_if_the_prompt_is_not_shown_to_help(
    base: list[float], top: list[float], reason: str
) -> None:
    result = recovered_fraction(["one"] * len(base), base, top, base)
    assert result.interval is None
    assert reason in result.note


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), *[st.integers(0, 3).map(lambda passed: passed / 3)] * 3),
        min_size=1,
        max_size=30,
    ),
    st.integers(-3, 5),
)
def test_recovered_fraction_is_reproducible_and_1_for_the_reference_itself(
    rows: list[tuple[str, float, float, float]], seed: int
) -> None:
    topics = [row[0] for row in rows]
    base, top, student = [row[1] for row in rows], [row[2] for row in rows], [row[3] for row in rows]
    first: Recovered = recovered_fraction(topics, base, top, student, seed=seed, resamples=FEW_RESAMPLES)
    assert first == recovered_fraction(topics, base, top, student, seed=seed, resamples=FEW_RESAMPLES)
    if first.interval is not None:
        same = recovered_fraction(topics, base, top, top, seed=seed, resamples=FEW_RESAMPLES).interval
        none = recovered_fraction(topics, base, top, base, seed=seed, resamples=FEW_RESAMPLES).interval
        assert same is not None
        assert none is not None
        assert (same.value, none.value) == pytest.approx((1.0, 0.0))
        assert same.low < same.value <= same.high
        assert none.low <= none.value < none.high


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40))
def test_every_resample_draws_as_many_questions_as_there_are(topics: list[str]) -> None:
    sums = resampled_sums(topics, np.ones((len(topics), 1)), 0, 2_500)
    assert sums.shape == (2_500, 1)
    assert sums == pytest.approx(len(topics))


def test_mean_by_question_weights_by_tokens_and_resamples_whole_questions() -> None:
    interval = mean_by_question(["one"] * 3, [1.0, 4.0, 0.0], [1, 2, 7], seed=2)
    assert interval.value == pytest.approx(0.5)
    assert interval.low < 0.5 < interval.high <= 2.0
    with pytest.raises(ValueError, match="no token"):
        mean_by_question(["one"], [0.0], [0])

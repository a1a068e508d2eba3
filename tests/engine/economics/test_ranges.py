"""Ranges, savings and sensitivity against slow independent calculations: day by day, and corner by corner."""

import dataclasses
import itertools
import math
import random
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.economics.estimate import Estimate, Ranged, estimate
from engine.economics.formulas import Terms, annuity, per_request, worth
from engine.economics.inputs import EstimateInput, ranges_of
from tests.engine.economics.test_estimate import CASE, changed

SHARES = {"cache_hit_rate", "discount_rate"}
NAMES = tuple(field.name for field in dataclasses.fields(Terms))
AMOUNTS = (
    "input_usd_per_mtok", "cached_input_usd_per_mtok", "output_usd_per_mtok", "distilled_input_usd_per_mtok",
    "distilled_output_usd_per_mtok", "one_time_usd", "generation_usd", "gpu_hours", "gpu_usd_per_hour",
)  # fmt: skip
money = st.decimals(0, 40, places=2).map(float)
share = st.decimals(0, 1, places=2).map(float)


@st.composite
def estimate_inputs(draw: st.DrawFn) -> EstimateInput:
    """Any estimate inputs, some of them with a range."""
    inputs = changed(
        CASE,
        ranges={},
        prompt_tokens=draw(st.integers(0, 4_000)),
        requests_per_day=draw(st.integers(0, 20_000)),
        question_tokens=draw(st.integers(0, 500)),
        answer_tokens=draw(st.integers(0, 900)),
        cache_hit_rate=draw(share),
        cache_min_tokens=draw(st.sampled_from([0.0, 1_024.0])),
        cache_write_usd_per_mtok=draw(st.none() | money),
        retrainings_per_year=draw(st.integers(0, 6)),
        horizon_months=draw(st.integers(1, 40)),
        discount_rate=draw(share),
        **{name: draw(money) for name in AMOUNTS},
    )
    ranges = {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        if (value := getattr(inputs.terms, name)) is None:
            continue
        low, high = value * draw(share), value * (1 + 3 * draw(share))
        low, high = (math.floor(low), math.ceil(high)) if name == "prompt_tokens" else (low, high)
        low = max(low, 1.0) if name == "horizon_months" else low
        ranges[name] = (low, min(high, 1.0) if name in SHARES else high)
    return changed(inputs, ranges=ranges)


def results(found: Estimate) -> Mapping[str, Ranged[float | None]]:
    """Each result that has a range."""
    return {"distilled": found.distilled_usd} | {
        f"{name} {field.name}": result
        for name, case in found.cases
        for field in dataclasses.fields(case)
        if isinstance(result := getattr(case, field.name), Ranged)
    }


def holds(name: str, value: float | None, found: Ranged[float | None]) -> bool:
    """Whether `value` is in the range; None stands for a wait without end."""
    wait = name.endswith(("requests", "days"))
    infinite = math.inf if wait else 0.0
    low = (math.inf if wait else -math.inf) if found.low is None else found.low
    high = math.inf if found.high is None else found.high
    number = infinite if value is None else value
    slack = 1e-9 * max(abs(number), abs(low), abs(high), 1e-9) if math.isfinite(number) else 0.0
    if wait and math.isfinite(number):
        slack = max(slack, 1.0) if name.endswith("requests") else slack + 1e-6
    return low - slack <= number <= high + slack


@given(estimate_inputs())
@settings(deadline=None)
def test_every_range_contains_its_value(inputs: EstimateInput) -> None:
    for name, found in results(estimate(inputs)).items():
        assert holds(name, found.value, found), f"{name}: {found}"
        if found.value is not None and found.low is not None:
            assert found.low <= found.value
        if found.value is not None and found.high is not None:
            assert found.value <= found.high


@given(estimate_inputs(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_inputs_within_their_ranges_give_results_within_theirs(inputs: EstimateInput, generator: random.Random) -> None:
    found = results(estimate(inputs))
    ranges = ranges_of(inputs)
    for _ in range(8):
        picked = {name: low + (high - low) * generator.randint(0, 500) / 500 for name, (low, high) in ranges.items()}
        for name, own in results(estimate(with_values(inputs, picked))).items():
            assert holds(name, own.value, found[name]) or near_an_end(name, own.value, found[name]), name


def near_an_end(name: str, value: float | None, found: Ranged[float | None]) -> bool:
    """Whether break-even days are near an end of the range: whole requests may differ by one because of rounding."""
    ends = [end for end in (found.low, found.high) if end is not None]
    return name.endswith("days") and value is not None and any(math.isclose(value, end, rel_tol=1e-3) for end in ends)


def with_values(inputs: EstimateInput, values: dict[str, float]) -> EstimateInput:
    """The same inputs with other values and without ranges."""
    return changed(inputs, ranges={}, **values)


@given(estimate_inputs(), st.sampled_from(NAMES))
@settings(deadline=None)
def test_wider_input_range_never_narrows_a_result(inputs: EstimateInput, name: str) -> None:
    low, high = ranges_of(inputs).get(name, (None, None))
    value = getattr(inputs.terms, name)
    if value is None:
        return
    low, high = (value, value) if low is None or high is None else (low, high)
    low = max(low / 2, 1.0) if name == "horizon_months" else low / 2
    wider = (low, min(high * 2, 1.0) if name in SHARES else high * 2)
    before, after = estimate(inputs), estimate(changed(inputs, ranges={**inputs.ranges, name: wider}))
    for key, narrow in results(before).items():
        wide = results(after)[key]
        assert holds(key, narrow.low, wide), key
        assert holds(key, narrow.high, wide) if narrow.high is not None else wide.high is None, key


def day_by_day(terms: Terms[float], *, cached: bool, days: int) -> float:
    """Savings minus costs, added up day by day: all tokens, cache misses as writes, and a share of retrainings."""
    saved = -(terms.one_time_usd + terms.generation_usd + terms.gpu_hours * terms.gpu_usd_per_hour)
    start = -saved
    reads_cache = cached and terms.prompt_tokens >= terms.cache_min_tokens
    written = terms.input_usd_per_mtok if terms.cache_write_usd_per_mtok is None else terms.cache_write_usd_per_mtok
    for _ in range(days):
        hits = terms.requests_per_day * terms.cache_hit_rate if reads_cache else 0.0
        misses = terms.requests_per_day - hits
        paid = hits * terms.prompt_tokens * terms.cached_input_usd_per_mtok
        paid += misses * terms.prompt_tokens * (written if reads_cache else terms.input_usd_per_mtok)
        paid += terms.requests_per_day * terms.question_tokens * terms.input_usd_per_mtok
        paid += terms.requests_per_day * terms.answer_tokens * terms.output_usd_per_mtok
        own = terms.requests_per_day * terms.question_tokens * terms.distilled_input_usd_per_mtok
        own += terms.requests_per_day * terms.answer_tokens * terms.distilled_output_usd_per_mtok
        saved += (paid - own) / 1e6 - start * terms.retrainings_per_year / 365
    return saved


@given(estimate_inputs())
@settings(deadline=None, max_examples=40)
def test_first_years_savings_equal_the_sum_of_365_days(inputs: EstimateInput) -> None:
    found, terms = estimate(inputs), inputs.terms
    for name, case in found.cases:
        slow = day_by_day(terms, cached=name == "cached", days=365)
        assert case.year_usd.value == pytest.approx(slow, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("months", "rate"), [(1, 0.1), (12, 0.08), (30, 1.0), (7, 0.0)])
def test_annuity_discounts_each_month_at_the_yearly_rate(months: int, rate: float) -> None:
    slow = sum(1 / (1 + rate) ** (month / 12) for month in range(1, months + 1))
    assert annuity(months, rate) == pytest.approx(slow, rel=1e-12)
    assert annuity(months, rate) <= annuity(months + 0.5, rate) <= annuity(months + 1, rate)
    assert annuity(months, 1e-20) == months


@given(estimate_inputs())
@settings(deadline=None)
def test_break_even_request_repays_the_cost_and_the_one_before_does_not(inputs: EstimateInput) -> None:
    found, terms = estimate(inputs), inputs.terms
    start = terms.one_time_usd + terms.generation_usd + terms.gpu_hours * terms.gpu_usd_per_hour
    for _, case in found.cases:
        requests, saved = case.break_even_requests.value, case.request_usd.value - found.distilled_usd.value
        if requests is None:
            assert saved <= 1e-15
            continue
        assert requests * saved >= start * (1 - 1e-9)
        assert (requests - 1) * saved <= start * (1 + 1e-9)


@given(estimate_inputs())
@settings(deadline=None)
def test_worth_changes_sign_at_the_requests_needed(inputs: EstimateInput) -> None:
    for name, case in estimate(inputs).cases:
        needed = case.requests_per_day_needed
        if needed is None or not 1e-6 < needed < 1e9:
            continue
        for factor, sign in ((1.001, 1), (0.999, -1)):
            other = estimate(changed(inputs, ranges={}, requests_per_day=round(needed * factor, 12)))
            assert sign * dict(other.cases)[name].worth_usd.value > 0


@given(estimate_inputs())
@settings(deadline=None)
def test_sensitivity_is_sorted_and_each_flip_changes_the_verdict(inputs: EstimateInput) -> None:
    found, terms = estimate(inputs), inputs.terms
    effects = [each.effect_usd for each in found.sensitivity]
    assert effects == sorted(effects, reverse=True)
    for each in found.sensitivity:
        at_low: Terms[float] = dataclasses.replace(terms, **{each.name: each.low})
        assert each.worth_low_usd == worth(at_low, per_request(at_low).saved[1])
        if each.flips_at is None:
            continue
        assert each.low <= each.flips_at <= each.high
        beyond = with_values(inputs, {each.name: each.flips_at}) if each.name != "prompt_tokens" else None
        if beyond is not None and each.flips_at > 1e-9 and each.flips_to != found.verdict:
            nearest = min(abs(case.worth_usd.value) for _, case in estimate(beyond).cases)
            assert estimate(beyond).verdict == each.flips_to or nearest < 1e-6


def test_ranges_are_exactly_the_extremes_over_all_corners() -> None:
    inputs = changed(
        CASE,
        cache_min_tokens=1_024,
        ranges={
            "prompt_tokens": (900, 1_400), "cache_hit_rate": (0.2, 1.0), "answer_tokens": (100, 300),
            "distilled_output_usd_per_mtok": (0.1, 30.0), "requests_per_day": (10, 9_000), "one_time_usd": (60, 110),
            "retrainings_per_year": (0, 4),
        },
    )  # fmt: skip
    found, ranges = estimate(inputs), ranges_of(inputs)
    ends = {name: [low, high] for name, (low, high) in ranges.items()} | {"prompt_tokens": [900, 1_023, 1_024, 1_400]}
    seen = [
        estimate(with_values(inputs, dict(zip(ends, corner, strict=True))))
        for corner in itertools.product(*ends.values())
    ]
    worths = [each.cached.worth_usd.value for each in seen]
    assert found.cached.worth_usd.low == pytest.approx(min(worths), rel=1e-9)
    assert found.cached.worth_usd.high == pytest.approx(max(worths), rel=1e-9)
    requests = [each.cached.break_even_requests.value for each in seen]
    assert found.cached.break_even_requests.low == min(each for each in requests if each is not None)
    assert (found.cached.break_even_requests.high is None) == (None in requests)

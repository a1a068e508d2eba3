"""The estimate's formulas against figures calculated by hand, and properties that hold for any numbers."""

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.economics.document import estimate_json, estimate_text
from engine.economics.estimate import estimate
from engine.economics.formulas import Terms
from engine.economics.inputs import EstimateInput
from engine.economics.tokens import TokenCount
from engine.economics.verdict import reasons
from engine.errors import UsageError

CASE = EstimateInput(
    prompt_tokens=TokenCount(1_000, "o200k_base", exact=True),
    terms=Terms(
        prompt_tokens=1_000, question_tokens=100, answer_tokens=200, requests_per_day=5_000,
        input_usd_per_mtok=2.0, cached_input_usd_per_mtok=0.5, output_usd_per_mtok=10.0,
        cache_hit_rate=0.9, cache_min_tokens=0, distilled_input_usd_per_mtok=0.05, distilled_output_usd_per_mtok=0.2,
        one_time_usd=75, generation_usd=0, gpu_hours=0, gpu_usd_per_hour=0,
        retrainings_per_year=0, horizon_months=12.0, discount_rate=0,
    ),
    ranges={"one_time_usd": (60.0, 112.5)},
)  # fmt: skip


def changed(case: EstimateInput, **changes: Any) -> EstimateInput:
    """The same inputs with other terms, or with other `ranges`."""
    ranges, tokens = changes.pop("ranges", case.ranges), changes.get("prompt_tokens", case.prompt_tokens.tokens)
    terms: Terms[float] = dataclasses.replace(case.terms, **changes)
    counted = dataclasses.replace(case.prompt_tokens, tokens=round(tokens))
    return dataclasses.replace(case, prompt_tokens=counted, terms=terms, ranges=ranges)


def test_costs_break_even_and_savings_match_a_calculation_by_hand() -> None:
    result = estimate(CASE)
    # (1000+100)·2 + 200·10 = 4200; 1000·(0.9·0.5 + 0.1·2) + 100·2 + 200·10 = 2850; 100·0.05 + 200·0.2 = 45
    assert result.uncached.request_usd.value == pytest.approx(0.0042, rel=1e-12)
    assert result.cached.request_usd.value == pytest.approx(0.00285, rel=1e-12)
    assert result.distilled_usd.value == pytest.approx(0.000045, rel=1e-12)
    # 75 / 0.004155 = 18050.5…; 75 / 0.002805 = 26737.9…
    assert [case.break_even_requests.value for _, case in result.cases] == [18_051, 26_738]
    assert result.uncached.break_even_days.value == pytest.approx(3.6102)
    assert result.cached.break_even_days.value == pytest.approx(5.3476)
    # 5000·365·0.004155 − 75; 5000·365·0.002805 − 75
    assert result.uncached.year_usd.value == pytest.approx(7_507.875)
    assert result.cached.year_usd.value == pytest.approx(5_044.125)
    assert result.verdict == "worth_it"


def test_break_even_is_robust_to_rounding() -> None:
    # 0.0015 saved per request: exactly 50,000 requests for 75 dollars, although floats give 50,000.00000000001
    case = changed(CASE, question_tokens=0, answer_tokens=0, cache_hit_rate=0, input_usd_per_mtok=1.5)
    assert estimate(case).uncached.break_even_requests.value == 50_000


def test_cache_misses_cost_the_write_price_instead_of_the_input_price() -> None:
    result = estimate(changed(CASE, cache_write_usd_per_mtok=2.5))
    # 1000·(0.9·0.5 + 0.1·2.5) + 100·2 + 200·10 = 2900
    assert result.cached.request_usd.value == pytest.approx(0.0029, rel=1e-12)
    assert result.uncached.request_usd.value == pytest.approx(0.0042, rel=1e-12)


def test_higher_cost_per_request_never_breaks_even() -> None:
    result = estimate(changed(CASE, distilled_output_usd_per_mtok=40))
    assert [case.break_even_requests.value for _, case in result.cases] == [None, None]
    assert [case.break_even_days.value for _, case in result.cases] == [None, None]
    assert result.verdict == "not_worth_it"
    assert "never breaks even" in reasons(result)[0]


def test_verdict_is_only_without_cache_if_caching_is_cheaper() -> None:
    result = estimate(changed(CASE, distilled_output_usd_per_mtok=17, cache_hit_rate=1))
    # distilled 3405 between cached 2700 and prompted 4200
    assert result.uncached.break_even_requests.value is not None
    assert result.cached.break_even_requests.value is None
    assert result.verdict == "only_without_cache"


def test_each_retraining_costs_the_one_time_cost_again() -> None:
    result = estimate(changed(CASE, retrainings_per_year=4))
    assert result.uncached.year_usd.value == pytest.approx(7_507.875 - 300)
    assert "4 retrainings a year cost $300.00 more." in reasons(result)


def test_break_even_beyond_the_calendar_is_given_in_years() -> None:
    text = estimate_text(estimate(changed(CASE, requests_per_day=1e-6, ranges={})))
    assert "years" in text
    assert "None" not in text


def test_no_requests_are_not_worth_it() -> None:
    result = estimate(changed(CASE, requests_per_day=0))
    assert result.uncached.break_even_days.value is None
    assert result.verdict == "not_worth_it"
    assert any("Judged over 12 months" in reason for reason in reasons(result))


def test_reasons_name_what_affects_the_verdict() -> None:
    case = changed(CASE, one_time_usd=4_000, ranges={"one_time_usd": (3_000.0, 8_000.0)})
    assert estimate(case).verdict == "worth_it"
    assert "With one-time cost above $5,119.12: not worth it." in reasons(estimate(case))
    short = dataclasses.replace(
        changed(CASE, prompt_tokens=412, cache_min_tokens=1_024),
        prompt_tokens=TokenCount(412, "by length", exact=False),
    )
    assert any("caches prompts of 1,024" in reason for reason in reasons(estimate(short)))
    unknown_minimum = changed(short, cache_min_tokens=0)
    assert any("cache only prompts of 1,024" in reason for reason in reasons(estimate(unknown_minimum)))
    uncached, cached = (case.request_usd.value for _, case in estimate(short).cases)
    assert cached == uncached > estimate(unknown_minimum).cached.request_usd.value
    assert any("estimate (by length)" in reason for reason in reasons(estimate(short)))
    undiscounted = changed(CASE, cached_input_usd_per_mtok=2.0)
    assert "The provider gives no discount for cached input." in reasons(estimate(undiscounted))


def test_json_has_the_documented_fields() -> None:
    document = estimate_json(estimate(CASE))
    assert set(document) >= {
        "schema", "tokens", "per_request_usd", "one_time_usd", "break_even_requests", "break_even_days",
        "yearly_savings_usd", "verdict", "reasons", "sources",
    }  # fmt: skip
    assert document["tokens"] == {"prompt": 1_000, "tokenizer": "o200k_base", "exact": True}
    assert document["one_time_usd"] == {"value": 75.0, "low": 60.0, "high": 112.5}
    assert document["break_even_requests"] == {"uncached": 18_051, "cached": 26_738}
    text = estimate_text(estimate(CASE))
    assert "$4.20" in text
    assert "worth it" in text


def test_savings_of_the_horizon_are_given_only_if_they_differ_from_those_of_the_year() -> None:
    year, horizon = "saved in the first year, cached", "saved in 12 months, cached"
    text = estimate_text(estimate(CASE))
    assert year in text
    assert horizon not in text
    assert "saved in 24 months, cached" in estimate_text(estimate(changed(CASE, horizon_months=24.0)))
    assert horizon in estimate_text(estimate(changed(CASE, discount_rate=0.1)))


def test_days_until_it_is_repaid_are_written_the_same_everywhere() -> None:
    busy = changed(CASE, requests_per_day=60_000.0, ranges={"requests_per_day": (4_000.0, 600_000.0)})
    text = estimate_text(estimate(busy))
    assert text.count("0.4 days") == 2, "in the table and in the reasons"
    assert "after 0.4 days, " in text
    assert "(0.4 days; " in text


@pytest.mark.parametrize(
    "change",
    [
        {"cache_hit_rate": 1.1},
        {"cache_hit_rate": -0.1},
        {"requests_per_day": math.nan},
        {"one_time_usd": math.inf},
        {"answer_tokens": -1},
        {"ranges": {"one_time_usd": (80.0, 70.0)}},
        {"ranges": {"one_time_usd": (0.0, math.nan)}},
        {"ranges": {"one_time_usd": (0.0, math.inf)}},
        {"ranges": {"requests_per_day": (1e-310, 5_000.0)}},
        {"ranges": {"discount_rate": (0.0, 1e-20)}},
        {"requests_per_day": 1e-300},
        {"one_time_usd": 1e300},
        {"input_usd_per_mtok": -1.0},
        {"cached_input_usd_per_mtok": math.inf},
    ],
)
def test_invalid_numbers_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        estimate(changed(CASE, **change))


price = st.decimals(0, 100, places=3).map(float)
share = st.decimals(0, 1, places=2).map(float)


@given(plain=price, output=price, cached=share, hit=share, less=share, prompt=st.integers(0, 50_000), once=price)
def test_cheaper_cache_never_breaks_even_sooner(
    plain: float, output: float, cached: float, hit: float, less: float, prompt: int, once: float
) -> None:
    dear = changed(
        CASE, prompt_tokens=prompt, cache_hit_rate=hit, one_time_usd=once, input_usd_per_mtok=plain,
        output_usd_per_mtok=output, cached_input_usd_per_mtok=round(plain * cached, 6),
    )  # fmt: skip
    cheap = changed(dear, cached_input_usd_per_mtok=round(dear.terms.cached_input_usd_per_mtok * less, 6))
    with_dear, with_cheap = estimate(dear), estimate(cheap)
    prices = [each.request_usd.value for each in (with_cheap.cached, with_dear.cached, with_dear.uncached)]
    assert prices == sorted(prices)
    assert with_cheap.uncached.break_even_requests == with_dear.uncached.break_even_requests
    sooner, later = with_dear.cached.break_even_requests.value, with_cheap.cached.break_even_requests.value
    assert later is None or (sooner is not None and sooner <= later)
    assert with_cheap.cached.year_usd.value <= with_dear.cached.year_usd.value


@given(output=price, hit=share, once=price.filter(bool))
def test_break_even_is_the_first_request_that_repays_the_cost(output: float, hit: float, once: float) -> None:
    result = estimate(changed(CASE, output_usd_per_mtok=output, cache_hit_rate=hit, one_time_usd=once))
    requests = result.cached.break_even_requests.value
    saved = result.cached.request_usd.value - result.distilled_usd.value
    assume(requests is not None)
    assert requests is not None
    assert requests * saved >= once * (1 - 1e-9)
    assert (requests - 1) * saved <= once * (1 + 1e-9)
    assert result.one_time_usd.low <= result.one_time_usd.value <= result.one_time_usd.high

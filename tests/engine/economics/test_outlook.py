"""The estimate as shown: the three ways to serve, the cost curves, and the text of each verdict."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.economics.estimate import estimate
from engine.economics.formulas import DAYS_PER_YEAR
from engine.economics.labels import span
from engine.economics.outlook import cumulated, horizon_days, outcome, short_verdict, ways
from engine.economics.verdict import headline
from engine.records.cost import CostOutcome
from tests.engine.economics.test_estimate import CASE, changed


def test_ways_to_serve_differ_in_prompt_tokens_and_price() -> None:
    prompted, cached, distilled = ways(estimate(CASE))
    assert (prompted.prompt_tokens, cached.prompt_tokens, distilled.prompt_tokens) == (1_000, 1_000, 0)
    assert prompted.request_usd == pytest.approx(0.0042)
    assert cached.day_usd == pytest.approx(0.00285 * 5_000)
    assert distilled.year_usd == pytest.approx(0.000045 * 5_000 * 365)


@given(st.integers(0, 12) | st.floats(0.01, 12), st.floats(1e-9, 10_000), st.floats(1e-9, 5_000))
def test_curves_differ_after_a_year_by_the_first_years_savings(retrainings: float, once: float, a_day: float) -> None:
    result = estimate(changed(CASE, retrainings_per_year=float(retrainings), one_time_usd=once, requests_per_day=a_day))
    curves = cumulated(result, (0.0, DAYS_PER_YEAR))
    assert curves.distilled[0] == pytest.approx(once)
    tolerance = 1e-9 * (once * 13 + a_day * 365) + 1e-9
    assert curves.prompted[1] - curves.distilled[1] == pytest.approx(result.uncached.year_usd.value, abs=tolerance)
    assert curves.prompted_cached[1] - curves.distilled[1] == pytest.approx(result.cached.year_usd.value, abs=tolerance)


def test_curves_cross_at_the_estimated_break_even() -> None:
    result = estimate(CASE)
    days = result.cached.break_even_days.value
    assert days is not None
    before, after = cumulated(result, (0.99 * days, 1.01 * days)), horizon_days(result)
    assert before.distilled[0] > before.prompted_cached[0]
    assert before.distilled[1] < before.prompted_cached[1]
    assert after == pytest.approx(2 * days)
    assert horizon_days(estimate(changed(CASE, one_time_usd=1e9))) == DAYS_PER_YEAR


@pytest.mark.parametrize(
    ("fields", "short", "headline_part"),
    [
        ({}, "pays in 5.3 days", "even with the provider's cache it is repaid after 5.3 days"),
        ({"one_time_usd": 0.0}, "pays at once", "repaid at once"),
        ({"distilled_output_usd_per_mtok": 500.0}, "never pays", "does not make a request cheaper"),
        ({"one_time_usd": 6_000.0}, "pays uncached", "Only without provider caching"),
        ({"one_time_usd": 60_000.0}, "takes too long", "it takes 39,563 to repay it within 12 months"),
        ({"requests_per_day": 0.0}, "never pays", "there are no requests"),
        (
            {"one_time_usd": 5_000.0, "retrainings_per_year": 9.0},
            "takes too long",
            "32,969 to repay it and the retrain",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_every_verdict_has_a_short_text_and_a_headline(fields: dict[str, Any], short: str, headline_part: str) -> None:
    result = estimate(changed(CASE, **fields))
    assert short_verdict(outcome(result, "ab")) == short
    assert headline_part in headline(result)


def test_outcome_stores_the_break_even_days_with_caching() -> None:
    found = outcome(estimate(CASE), "ab")
    assert found.break_even_days == pytest.approx(5.3476)
    assert found == CostOutcome("ab", "worth_it", found.break_even_days)


@pytest.mark.parametrize(
    ("days", "text"),
    [(None, ""), (0.0, "0 days"), (0.01, "less than 0.1 days"), (0.2, "0.2 days"),
     (1.0, "1 day"), (1.5, "1.5 days"), (9.0, "9 days"),
     (364.6, "365 days"), (3_650.0, "10 years")],
)  # fmt: skip
def test_span_rounds_days_to_readable_text(days: float | None, text: str) -> None:
    assert span(days) == text

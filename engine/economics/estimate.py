"""Does distilling pay? The estimate for given numbers, with its ranges, its verdict and the reasons for it.

Computed in exact fractions by `formulas`, so that break-even is a whole number that does not depend on rounding. Knows
nothing of how a model is trained, nor of where the numbers come from.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction

from engine.economics import formulas
from engine.economics.inputs import EstimateInput, Latency, box, check, exact_terms, ranges_of
from engine.economics.ranges import Range, Ranges, distilled_range, ranges
from engine.economics.sensitivity import Influence, sensitivity, verdict_of
from engine.economics.tokens import TokenCount
from engine.economics.verdict import Case, Criterion, Findings, criteria, headline, reasons
from engine.records.cost import Figure, WorthVerdict

_LONGEST_DAYS = 1_000_000  # a later date means nothing, and dates end at year 9999


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Break-even without the provider's cache and with it; None if it never breaks even."""

    uncached: float | None
    cached: float | None


@dataclass(frozen=True, slots=True)
class Savings:
    """Savings in US dollars without the provider's cache and with it; negative for a loss."""

    uncached: float
    cached: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """The result. Yearly savings are those of the first year, less the training and its retrainings."""

    prompt_tokens: TokenCount
    prompted_usd: float  # per request
    prompted_cached_usd: float
    distilled_usd: float
    distilled_range_usd: Range
    one_time_usd: float
    one_time_low_usd: float
    one_time_high_usd: float
    break_even_requests: BreakEven
    break_even_days: BreakEven
    monthly_savings_usd: Savings  # after the first month
    yearly_savings_usd: Savings
    worth_usd: Savings  # within the horizon, at present value
    requests_per_day_needed: BreakEven  # the volume from which it pays within the horizon
    uncached: Ranges
    cached: Ranges
    sensitivity: tuple[Influence, ...]  # with the provider's cache
    latency: Latency | None
    horizon_months: float
    discount_rate: float
    verdict: WorthVerdict
    headline: str
    criteria: tuple[Criterion, ...]
    reasons: tuple[str, ...]
    today: date
    sources: tuple[tuple[str, str], ...] = ()
    inputs: Mapping[str, Figure] = field(default_factory=dict)  # by name, if their origins are known

    def date_after(self, days: float | None) -> date | None:
        """Return the date after this many days; None for never, and for dates beyond the calendar."""
        if days is None or days > _LONGEST_DAYS:
            return None
        return self.today + timedelta(days=math.ceil(days))


def estimate(given: EstimateInput) -> Estimate:
    """Compute the estimate. Raises UsageError for invalid numbers."""
    check(given)
    terms, corners = exact_terms(given), box(given)
    each, once = formulas.per_request(terms), formulas.once(terms)
    bounds = tuple(ranges(corners.low, corners.high, cached=cached) for cached in (False, True))
    uncached, cached = (
        _case(terms, price, saved, found)
        for price, saved, found in zip((each.prompted, each.cached), each.saved, bounds, strict=True)
    )
    bounds = tuple(_holding(found, case, terms) for found, case in zip(bounds, (uncached, cached), strict=True))
    verdict = verdict_of(float(uncached.worth), float(cached.worth))
    moved = sensitivity(corners.value, ranges_of(given))
    found = Findings(given, each, once, uncached, cached, verdict, moved)
    months = [float(formulas.saved_after(terms, saved, 1)) for saved in each.saved]
    needed = [None if case.needed is None else float(case.needed) for case in (uncached, cached)]
    return Estimate(
        prompt_tokens=given.prompt_tokens,
        prompted_usd=float(each.prompted),
        prompted_cached_usd=float(each.cached),
        distilled_usd=float(each.distilled),
        distilled_range_usd=_around(distilled_range(corners.low, corners.high), float(each.distilled)),
        one_time_usd=float(once),
        one_time_low_usd=min(formulas.once(corners.low), float(once)),
        one_time_high_usd=max(formulas.once(corners.high), float(once)),
        break_even_requests=BreakEven(uncached.requests, cached.requests),
        break_even_days=BreakEven(uncached.days, cached.days),
        monthly_savings_usd=Savings(*months),
        yearly_savings_usd=Savings(float(uncached.year), float(cached.year)),
        worth_usd=Savings(float(uncached.worth), float(cached.worth)),
        requests_per_day_needed=BreakEven(*needed),
        uncached=bounds[0],
        cached=bounds[1],
        sensitivity=moved,
        latency=given.latency,
        horizon_months=given.horizon_months,
        discount_rate=given.discount_rate,
        verdict=verdict,
        headline=headline(found),
        criteria=criteria(found),
        reasons=reasons(found),
        today=given.today,
    )


def _case(terms: formulas.Terms[Fraction], price: Fraction, saved: Fraction, found: Ranges) -> Case:
    requests, per_day = formulas.break_even(formulas.once(terms), saved), terms.requests_per_day
    return Case(
        price=price,
        saved=saved,
        requests=requests,
        days=float(requests / per_day) if requests is not None and per_day > 0 else None,
        days_range=found.break_even_days,
        year=formulas.saved_after(terms, saved, formulas.MONTHS_PER_YEAR),
        worth=formulas.worth(terms, saved),
        needed=formulas.requests_needed(terms, saved),
    )


def _holding(found: Ranges, case: Case, terms: formulas.Terms[Fraction]) -> Ranges:
    """Return the ranges, widened where float rounding excluded the value itself."""
    return replace(
        found,
        request_usd=_around(found.request_usd, float(case.price)),
        break_even_requests=_around_a_wait(found.break_even_requests, case.requests),
        break_even_days=_around_a_wait(found.break_even_days, case.days),
        month_usd=_around(found.month_usd, float(formulas.saved_after(terms, case.saved, 1))),
        year_usd=_around(found.year_usd, float(case.year)),
        worth_usd=_around(found.worth_usd, float(case.worth)),
    )


def _around(found: Range, value: float) -> Range:
    low = value if found.low is None else min(found.low, value)
    return Range(low, value if found.high is None else max(found.high, value))


def _around_a_wait(found: Range, value: float | None) -> Range:
    """Like `_around`, with None meaning never."""
    if value is None:
        return Range(found.low, None)
    low = value if found.low is None else min(found.low, value)
    return Range(low, None if found.high is None else max(found.high, value))

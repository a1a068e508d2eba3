"""Does distilling pay? The estimate for given numbers: each result with its range, and the verdict.

Computed in exact fractions by `formulas`, so that break-even is a whole number that does not depend on rounding. Knows
nothing of how a model is trained, nor of where the numbers come from.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Generic, TypeVar

from engine.economics import formulas
from engine.economics.formulas import Terms
from engine.economics.inputs import EstimateInput, check, corners, exact_terms, ranges_of
from engine.economics.labels import written
from engine.economics.ranges import break_even_range, distilled_range, horizon_range, request_range, worth_range
from engine.economics.sensitivity import Influence, sensitivity, verdict_of
from engine.records.cost import WorthVerdict

_LONGEST_DAYS = 1_000_000  # a later date means nothing, and dates end at year 9999

T_co = TypeVar("T_co", bound=float | None, covariant=True)
N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class Ranged(Generic[T_co]):
    """A result with its bounds. For a break-even, None means never."""

    value: T_co
    low: T_co
    high: T_co


@dataclass(frozen=True, slots=True)
class Case:
    """The results without the provider's cache, or with it. Savings are negative for a loss."""

    request_usd: Ranged[float]  # with the prompt
    break_even_requests: Ranged[int | None]
    break_even_days: Ranged[float | None]
    month_usd: Ranged[float]  # savings after the first month, less the training and its retrainings
    year_usd: Ranged[float]
    worth_usd: Ranged[float]  # savings within the horizon, at present value
    requests_per_day_needed: float | None  # the volume from which it pays within the horizon


@dataclass(frozen=True, slots=True)
class Estimate:
    """The result, with what it was made from."""

    given: EstimateInput
    distilled_usd: Ranged[float]  # per request
    one_time_usd: Ranged[float]
    uncached: Case
    cached: Case
    sensitivity: tuple[Influence, ...]  # with the provider's cache

    @property
    def cases(self) -> tuple[tuple[str, Case], tuple[str, Case]]:
        """Both cases, by name."""
        return ("uncached", self.uncached), ("cached", self.cached)

    @property
    def verdict(self) -> WorthVerdict:
        """The verdict, by the savings within the horizon."""
        return verdict_of(self.uncached.worth_usd.value, self.cached.worth_usd.value)

    @property
    def horizon(self) -> str:
        """The horizon as text."""
        return written("horizon_months", self.given.terms.horizon_months)

    @property
    def break_even_days(self) -> float | None:
        """The days until it is repaid with the provider's cache, or without it if it only breaks even that way."""
        cached = self.cached.break_even_days.value
        return self.uncached.break_even_days.value if cached is None else cached

    def date_after(self, days: float | None) -> date | None:
        """Return the date after this many days; None for never, and for dates beyond the calendar."""
        if days is None or days > _LONGEST_DAYS:
            return None
        return self.given.today + timedelta(days=math.ceil(days))


def estimate(given: EstimateInput) -> Estimate:
    """Compute the estimate. Raises UsageError for invalid numbers."""
    check(given)
    terms, (low, high) = exact_terms(given.terms), corners(given)
    return Estimate(
        given=given,
        distilled_usd=_ranged(formulas.per_request(terms).distilled, distilled_range(low, high)),
        one_time_usd=_ranged(formulas.once(terms), (formulas.once(low), formulas.once(high))),
        uncached=_case(terms, low, high, cached=False),
        cached=_case(terms, low, high, cached=True),
        sensitivity=sensitivity(given.terms, ranges_of(given)),
    )


def _case(terms: Terms[Fraction], low: Terms[float], high: Terms[float], *, cached: bool) -> Case:
    each = formulas.per_request(terms)
    price = each.cached if cached else each.prompted
    saved = price - each.distilled

    def worth_within(months: tuple[float, float]) -> tuple[float, float]:
        return worth_range(low, high, months, cached=cached)

    requests, bounds = formulas.break_even(formulas.once(terms), saved), break_even_range(low, high, cached=cached)
    daily = (high.requests_per_day, low.requests_per_day)
    needed = formulas.requests_needed(terms, saved)
    return Case(
        request_usd=_ranged(price, request_range(low, high, cached=cached)),
        break_even_requests=_wait(requests, *bounds),
        break_even_days=_wait(_days(requests, terms.requests_per_day), *map(_days, bounds, daily)),
        month_usd=_ranged(formulas.saved_after(terms, saved, 1), worth_within((1.0, 1.0))),
        year_usd=_ranged(
            formulas.saved_after(terms, saved, formulas.MONTHS_PER_YEAR),
            worth_within((formulas.MONTHS_PER_YEAR, formulas.MONTHS_PER_YEAR)),
        ),
        worth_usd=_ranged(formulas.worth(terms, saved), worth_within(horizon_range(low, high))),
        requests_per_day_needed=None if needed is None else float(needed),
    )


def _days(requests: int | None, per_day: float | Fraction) -> float | None:
    return float(requests / per_day) if requests is not None and per_day > 0 else None


def _ranged(exact: Fraction, bounds: tuple[float, float]) -> Ranged[float]:
    """Return the value with its bounds, widened where float rounding excluded the value itself."""
    value = float(exact)
    return Ranged(value, min(bounds[0], value), max(bounds[1], value))


def _wait(value: N | None, low: N | None, high: N | None) -> Ranged[N | None]:
    """Like `_ranged`, with None meaning never."""
    if value is None:
        return Ranged(None, low, None)
    return Ranged(value, value if low is None else min(low, value), None if high is None else max(high, value))

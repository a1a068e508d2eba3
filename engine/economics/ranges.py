"""The range of each result when every input is between its low and its high. Deterministic and exact.

Each result is monotonic in each input, with a direction that may depend on the sign of what the input multiplies. So
its minimum and maximum are at corners of the inputs' box, which are found directly, without sampling. The one
discontinuity, the provider's minimum length for caching, is handled as a corner too. Inputs are assumed to be
independent; if they move together, the true range is narrower. Knows nothing of where the inputs' ranges come from.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.economics.formulas import (
    DAYS_PER_YEAR,
    MONTHS_PER_YEAR,
    PER_MTOK,
    Terms,
    annuity,
    break_even,
    cached_prompt_price,
    once,
    per_request,
)


@dataclass(frozen=True, slots=True)
class Range:
    """The bounds of a value. For a break-even, `high` is None if it may never come, and `low` if it cannot come."""

    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges of one case: without the provider's cache, or with it."""

    request_usd: Range  # with the prompt
    break_even_requests: Range
    break_even_days: Range
    month_usd: Range
    year_usd: Range
    worth_usd: Range  # over the horizon, discounted


def ranges(low: Terms[float], high: Terms[float], *, cached: bool) -> Ranges:
    """Return the minimum and maximum of each result for inputs between `low` and `high`."""
    least, most = saved_range(low, high, cached=cached)
    cheapest, dearest = once(low), once(high)
    first, last = break_even(cheapest, most), break_even(dearest, least)
    return Ranges(
        request_usd=Range(*request_range(low, high, cached=cached)),
        break_even_requests=Range(first, last),
        break_even_days=Range(_days(first, high.requests_per_day), _days(last, low.requests_per_day)),
        month_usd=_worth(low, high, (least, most), (1.0, 1.0)),
        year_usd=_worth(low, high, (least, most), (float(MONTHS_PER_YEAR),) * 2),
        worth_usd=_worth(
            low, high, (least, most),
            (annuity(low.horizon_months, high.discount_rate), annuity(high.horizon_months, low.discount_rate)),
        ),
    )  # fmt: skip


def distilled_range(low: Terms[float], high: Terms[float]) -> Range:
    """Return the cost of a distilled request in US dollars."""
    return Range(per_request(low).distilled, per_request(high).distilled)


def request_range(low: Terms[float], high: Terms[float], *, cached: bool) -> tuple[float, float]:
    """Return the cost of a request with the prompt in US dollars."""
    prompt = _prompt_range(low, high, cached=cached)
    rest = (
        each.question_tokens * each.input_usd_per_mtok + each.answer_tokens * each.output_usd_per_mtok
        for each in (low, high)
    )
    least, most = ((part + other) / PER_MTOK for part, other in zip(prompt, rest, strict=True))
    return least, most


def saved_range(low: Terms[float], high: Terms[float], *, cached: bool) -> tuple[float, float]:
    """Return the savings per distilled request in US dollars.

    They rise with today's prices and fall with the student's. With more question or answer tokens they rise or fall,
    depending on which of the two prices is higher.
    """
    least, most = _prompt_range(low, high, cached=cached)
    for tokens, price, own in (
        ((low.question_tokens, high.question_tokens), (low.input_usd_per_mtok, high.input_usd_per_mtok),
         (low.distilled_input_usd_per_mtok, high.distilled_input_usd_per_mtok)),
        ((low.answer_tokens, high.answer_tokens), (low.output_usd_per_mtok, high.output_usd_per_mtok),
         (low.distilled_output_usd_per_mtok, high.distilled_output_usd_per_mtok)),
    ):  # fmt: skip
        least += min(count * (price[0] - own[1]) for count in tokens)
        most += max(count * (price[1] - own[0]) for count in tokens)
    return least / PER_MTOK, most / PER_MTOK


def _prompt_range(low: Terms[float], high: Terms[float], *, cached: bool) -> tuple[float, float]:
    """Return what the prompt's tokens cost per million requests."""
    if not cached:
        return low.prompt_tokens * low.input_usd_per_mtok, high.prompt_tokens * high.input_usd_per_mtok
    lengths = {low.prompt_tokens, high.prompt_tokens}
    limits = {low.cache_min_tokens, high.cache_min_tokens}
    for limit in limits:
        lengths |= {
            length for length in (limit, math.nextafter(limit, 0)) if low.prompt_tokens < length < high.prompt_tokens
        }
    rates = (low.cache_hit_rate, high.cache_hit_rate)
    return _extreme(low, lengths, limits, rates, least=True), _extreme(high, lengths, limits, rates, least=False)


def _extreme(
    terms: Terms[float], lengths: set[float], limits: set[float], rates: Sequence[float], *, least: bool
) -> float:
    costs = (
        length * cached_prompt_price(replace(terms, prompt_tokens=length, cache_min_tokens=limit, cache_hit_rate=rate))
        for length in lengths
        for limit in limits
        for rate in rates
    )
    return min(costs) if least else max(costs)


def _days(requests: int | None, per_day: float) -> float | None:
    return requests / per_day if requests is not None and per_day > 0 else None


def _worth(low: Terms[float], high: Terms[float], saved: tuple[float, float], months: tuple[float, float]) -> Range:
    """Return savings less costs after `months` (the minimum and maximum of their present value)."""
    bounds = []
    rates = (low.requests_per_day, high.requests_per_day)
    for of_saved, paying, sign in ((saved[0], high, 1), (saved[1], low, -1)):
        gained = sign * min(sign * of_saved * rate for rate in rates) * DAYS_PER_YEAR
        paid = once(paying)
        flow = (gained - paying.retrainings_per_year * paid) / MONTHS_PER_YEAR
        bounds.append(sign * min(sign * flow * factor for factor in months) - paid)
    return Range(bounds[0], bounds[1])

"""The range of each result when every input is between its low and its high. Deterministic and exact.

Each result is monotonic in each input, with a direction that may depend on the sign of what the input multiplies. So
its minimum and maximum are at corners of the inputs' box, which are found directly, without sampling. The one
discontinuity, the provider's minimum length for caching, is handled as a corner too. Inputs are assumed to be
independent; if they move together, the true range is narrower. Knows nothing of where the inputs' ranges come from.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

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


def distilled_range(low: Terms[float], high: Terms[float]) -> tuple[float, float]:
    """Return the cost of a distilled request in US dollars."""
    return per_request(low).distilled, per_request(high).distilled


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


def break_even_range(low: Terms[float], high: Terms[float], *, cached: bool) -> tuple[int | None, int | None]:
    """Return the number of requests that repay the one-time cost; None if no number does."""
    least, most = saved_range(low, high, cached=cached)
    return break_even(once(low), most), break_even(once(high), least)


def worth_range(
    low: Terms[float], high: Terms[float], months: tuple[float, float], *, cached: bool
) -> tuple[float, float]:
    """Return savings less costs after `months` (the minimum and maximum of their present value), in US dollars."""
    bounds = []
    least, most = saved_range(low, high, cached=cached)
    rates = (low.requests_per_day, high.requests_per_day)
    for saved, paying, sign in ((least, high, 1), (most, low, -1)):
        gained = sign * min(sign * saved * rate for rate in rates) * DAYS_PER_YEAR
        paid = once(paying)
        flow = (gained - paying.retrainings_per_year * paid) / MONTHS_PER_YEAR
        bounds.append(sign * min(sign * flow * factor for factor in months) - paid)
    return bounds[0], bounds[1]


def horizon_range(low: Terms[float], high: Terms[float]) -> tuple[float, float]:
    """Return the months that count within the horizon, discounted."""
    return annuity(low.horizon_months, high.discount_rate), annuity(high.horizon_months, low.discount_rate)

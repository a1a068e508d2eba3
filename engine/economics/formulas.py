"""The formulas of the estimate, for exact fractions and for floats alike: money per request, break-even, savings.

With P prompt, Q question, A answer tokens, prices i input, c cached input, w cache write, o output, hit rate h:
prompted = (P+Q)·i + A·o; prompted_cached = P·(h·c + (1−h)·w) + Q·i + A·o, where w = i for a provider without a write
price, and a prompt below the minimum length is not cached; distilled = Q·i′ + A·o′. Savings accrue evenly; each
retraining costs the one-time cost again, spread evenly. Knows nothing of where the numbers come from.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

DAYS_PER_YEAR = 365
MONTHS_PER_YEAR = 12
PER_MTOK = 1_000_000

N = TypeVar("N", float, Fraction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms(Generic[N]):
    """The inputs of the formulas, named as in `CostInputs`. Prices are in US dollars per million tokens."""

    prompt_tokens: N
    question_tokens: N
    answer_tokens: N
    requests_per_day: N
    input_usd_per_mtok: N
    cached_input_usd_per_mtok: N
    cache_write_usd_per_mtok: N | None = None  # None: a miss costs the input price
    output_usd_per_mtok: N
    cache_hit_rate: N
    cache_min_tokens: N
    distilled_input_usd_per_mtok: N
    distilled_output_usd_per_mtok: N
    one_time_usd: N  # everything except generation and GPU hours
    generation_usd: N
    gpu_hours: N
    gpu_usd_per_hour: N
    retrainings_per_year: N
    horizon_months: N
    discount_rate: N  # per year


@dataclass(frozen=True, slots=True)
class PerRequest(Generic[N]):
    """US dollars per request."""

    prompted: N
    cached: N
    distilled: N

    @property
    def saved(self) -> tuple[N, N]:
        """The savings from distilling: without the provider's cache, and with it."""
        return self.prompted - self.distilled, self.cached - self.distilled


def per_request(terms: Terms[N]) -> PerRequest[N]:
    """Return the cost per request: prompted, prompted with the provider's cache, distilled."""
    prompt, question, answer = terms.prompt_tokens, terms.question_tokens, terms.answer_tokens
    rest = question * terms.input_usd_per_mtok + answer * terms.output_usd_per_mtok
    distilled = question * terms.distilled_input_usd_per_mtok + answer * terms.distilled_output_usd_per_mtok
    return PerRequest(
        (prompt * terms.input_usd_per_mtok + rest) / PER_MTOK,
        (prompt * cached_prompt_price(terms) + rest) / PER_MTOK,
        distilled / PER_MTOK,
    )


def cached_prompt_price(terms: Terms[N]) -> N:
    """Return the average price of a prompt token with the provider's cache, in US dollars per million."""
    plain = terms.input_usd_per_mtok
    if terms.prompt_tokens < terms.cache_min_tokens:
        return plain
    miss = plain if terms.cache_write_usd_per_mtok is None else terms.cache_write_usd_per_mtok
    return terms.cache_hit_rate * terms.cached_input_usd_per_mtok + (1 - terms.cache_hit_rate) * miss


def once(terms: Terms[N]) -> N:
    """Return the one-time cost in US dollars, including generation and GPU hours."""
    return terms.one_time_usd + terms.generation_usd + terms.gpu_hours * terms.gpu_usd_per_hour


def break_even(once_usd: N, saved_per_request: N) -> int | None:
    """Return the number of requests that repay the one-time cost; None if no number does."""
    return math.ceil(once_usd / saved_per_request) if saved_per_request > 0 else None


def monthly(terms: Terms[N], saved_per_request: N) -> N:
    """Return the savings of an average month, less its share of the retrainings; US dollars."""
    gained = saved_per_request * terms.requests_per_day * DAYS_PER_YEAR
    return (gained - terms.retrainings_per_year * once(terms)) / MONTHS_PER_YEAR


def saved_after(terms: Terms[N], saved_per_request: N, months: int) -> N:
    """Return the savings after this many months, less the training; undiscounted."""
    return months * monthly(terms, saved_per_request) - once(terms)


def annuity(months: float, rate: float) -> float:
    """Return the present value of one dollar at the end of each of `months` (may be fractional), at a yearly `rate`."""
    factor = math.pow(1 + rate, -1 / MONTHS_PER_YEAR)
    if factor == 1:  # the rate is 0, or too small for a float to show
        return months
    whole = math.floor(months)
    full = factor * (1 - math.pow(factor, whole)) / (1 - factor)
    return full + (months - whole) * math.pow(factor, whole + 1)


def worth(terms: Terms[N], saved_per_request: N) -> N:
    """Return the present value of all savings within the horizon, less the one-time cost; US dollars."""
    months = annuity(float(terms.horizon_months), float(terms.discount_rate))
    start = once(terms)
    flow = monthly(terms, saved_per_request)
    return flow * type(flow)(months) - start


def requests_needed(terms: Terms[N], saved_per_request: N) -> N | None:
    """Return the requests per day from which distilling pays within the horizon; None if no number does."""
    months = annuity(float(terms.horizon_months), float(terms.discount_rate))
    if saved_per_request <= 0 or months <= 0:
        return None
    start = once(terms)
    each_month = start / type(start)(months) + terms.retrainings_per_year * start / MONTHS_PER_YEAR
    return each_month * MONTHS_PER_YEAR / (saved_per_request * DAYS_PER_YEAR)

"""Does distilling pay? Money per request with the prompt, with the provider's cache, and distilled.

With P prompt, Q question, A answer tokens, prices i input, c cached input, w cache write, o output, hit rate h:
prompted = (P+Q)·i + A·o; prompted_cached = P·(h·c + (1−h)·i) + Q·i + A·o, where a miss costs w instead of i if the
provider asks for writing; distilled = Q·i′ + A·o′. Reckoned in exact fractions, so that break-even is a whole number
that does not hang on rounding. Knows nothing of how a model is trained.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from engine.economics.prices import Prices, find_prices
from engine.economics.tokens import TokenCount
from engine.errors import UsageError

WorthVerdict = Literal["worth_it", "only_without_cache", "not_worth_it"]
_DAYS_PER_YEAR = 365
# A one-time cost given without a range: answers that are rejected and a second training make it dearer far more
# often than anything makes it cheaper.
_LOW_SHARE, _HIGH_SHARE = Fraction(4, 5), Fraction(3, 2)
_MIN_CACHED_TOKENS = 1_024  # OpenAI and most of Anthropic's models cache nothing shorter


@dataclass(frozen=True, slots=True)
class EstimateInput:
    """What the caller knows. Prices are in US dollars a million tokens; `prices` None: looked up by `model`."""

    prompt_tokens: TokenCount
    model: str
    requests_per_day: float
    question_tokens: float
    answer_tokens: float
    cache_hit_rate: float  # 0–1: share of requests whose prompt is read from the provider's cache
    one_time_usd: float  # questions, answers, training and review, once
    distilled_input_usd_per_mtok: float
    distilled_output_usd_per_mtok: float
    retrainings_per_year: float = 0.0  # each costs `one_time_usd` again
    one_time_low_usd: float | None = None
    one_time_high_usd: float | None = None
    prices: Prices | None = None


@dataclass(frozen=True, slots=True)
class CacheCase:
    """One figure without the provider's cache and one with it; None where it never breaks even."""

    uncached: float | None
    cached: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The answer. Yearly savings are the first year's, with the training and its retrainings paid."""

    prompt_tokens: TokenCount
    prompted_usd: float  # per request
    prompted_cached_usd: float
    distilled_usd: float
    one_time_usd: float
    one_time_low_usd: float
    one_time_high_usd: float
    break_even_requests: CacheCase
    break_even_days: CacheCase
    yearly_savings_usd: CacheCase
    verdict: WorthVerdict
    reasons: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]


def estimate(given: EstimateInput) -> Estimate:
    """Raises UsageError for numbers that mean nothing, and for a model whose prices are not known."""
    _check(given)
    tokens = given.prompt_tokens.tokens
    prices = given.prices or find_prices(given.model, input_tokens=tokens + math.ceil(given.question_tokens))
    if prices is None:
        raise UsageError(
            "The model's prices are not known.",
            f"genai-prices has no {given.model!r}.",
            "Give its name as its provider writes it, for example gpt-5 or claude-sonnet-4-5.",
        )
    prompted, cached, distilled = _per_request(given, prices)
    once = _exact(given.one_time_usd)
    low = once * _LOW_SHARE if given.one_time_low_usd is None else _exact(given.one_time_low_usd)
    high = once * _HIGH_SHARE if given.one_time_high_usd is None else _exact(given.one_time_high_usd)
    requests = [_break_even(once, price - distilled) for price in (prompted, cached)]
    days = [_days(count, given.requests_per_day) for count in requests]
    yearly = [_first_year(given, price - distilled, once) for price in (prompted, cached)]
    verdict = _verdict(yearly)
    result = Estimate(
        prompt_tokens=given.prompt_tokens,
        prompted_usd=float(prompted),
        prompted_cached_usd=float(cached),
        distilled_usd=float(distilled),
        one_time_usd=float(once),
        one_time_low_usd=float(low),
        one_time_high_usd=float(high),
        break_even_requests=CacheCase(*requests),
        break_even_days=CacheCase(*days),
        yearly_savings_usd=CacheCase(*(float(saved) for saved in yearly)),
        verdict=verdict,
        reasons=(),
        sources=_sources(given, prices),
    )
    return result


def _check(given: EstimateInput) -> None:
    numbers = {
        "requests per day": given.requests_per_day,
        "question tokens": given.question_tokens,
        "answer tokens": given.answer_tokens,
        "one-time cost": given.one_time_usd,
        "distilled input price": given.distilled_input_usd_per_mtok,
        "distilled output price": given.distilled_output_usd_per_mtok,
        "retrainings per year": given.retrainings_per_year,
        "cache hit rate": given.cache_hit_rate,
    }
    for name, value in numbers.items():
        if not (math.isfinite(value) and value >= 0):
            raise UsageError("The estimate needs other numbers.", f"{name} is {value}.", "Give 0 or more.")
    if given.cache_hit_rate > 1:
        raise UsageError(
            "The estimate needs other numbers.", f"cache hit rate is {given.cache_hit_rate}.", "Give a share of 0 to 1."
        )

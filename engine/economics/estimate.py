"""Does distilling pay? Money per request with the prompt, with the provider's cache, and distilled.

With P prompt, Q question, A answer tokens, prices i input, c cached input, w cache write, o output, hit rate h:
prompted = (P+Q)·i + A·o; prompted_cached = P·(h·c + (1−h)·i) + Q·i + A·o, where a miss costs w instead of i if the
provider asks for writing; distilled = Q·i′ + A·o′. Reckoned in exact fractions, so that break-even is a whole number
that does not hang on rounding. Knows nothing of how a model is trained.
"""

import math
from dataclasses import asdict, dataclass
from fractions import Fraction

from engine.economics.prices import Prices, find_prices
from engine.economics.tokens import TokenCount
from engine.errors import UsageError
from engine.records.cost import WorthVerdict

DAYS_PER_YEAR = 365
_PER_MTOK = 1_000_000
# A one-time cost given without a range: answers that are rejected and a second training make it dearer far more
# often than anything makes it cheaper.
_LOW_SHARE, _HIGH_SHARE = Fraction(4, 5), Fraction(3, 2)
_SMALLEST, _LARGEST = 1e-9, 1e12  # beyond these, quotients leave the range of floats
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
class BreakEven:
    """Without the provider's cache and with it; None where it never breaks even."""

    uncached: float | None
    cached: float | None


@dataclass(frozen=True, slots=True)
class Savings:
    """US dollars without the provider's cache and with it; below 0 it loses."""

    uncached: float
    cached: float


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
    break_even_requests: BreakEven
    break_even_days: BreakEven
    yearly_savings_usd: Savings
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
    return Estimate(
        prompt_tokens=given.prompt_tokens,
        prompted_usd=float(prompted),
        prompted_cached_usd=float(cached),
        distilled_usd=float(distilled),
        one_time_usd=float(once),
        one_time_low_usd=float(low),
        one_time_high_usd=float(high),
        break_even_requests=BreakEven(*requests),
        break_even_days=BreakEven(*days),
        yearly_savings_usd=Savings(*(float(saved) for saved in yearly)),
        verdict=_verdict(*yearly),
        reasons=_reasons(given, prices, (prompted, cached, distilled), (low, once, high)),
        sources=(
            ("prices", prices.source),
            ("tokens", given.prompt_tokens.tokenizer),
            ("one_time_range", "80 % to 150 % of its value" if given.one_time_low_usd is None else "given"),
            ("distilled_prices", "given"),
        ),
    )


def estimate_json(result: Estimate) -> dict[str, object]:
    """The object of `estimate --json`, schema 1."""
    return {
        "schema": 1,
        "tokens": {
            "prompt": result.prompt_tokens.tokens,
            "tokenizer": result.prompt_tokens.tokenizer,
            "exact": result.prompt_tokens.exact,
        },
        "per_request_usd": {
            "prompted": result.prompted_usd,
            "prompted_cached": result.prompted_cached_usd,
            "distilled": result.distilled_usd,
        },
        "one_time_usd": {
            "value": result.one_time_usd,
            "low": result.one_time_low_usd,
            "high": result.one_time_high_usd,
        },
        "break_even_requests": asdict(result.break_even_requests),
        "break_even_days": asdict(result.break_even_days),
        "yearly_savings_usd": asdict(result.yearly_savings_usd),
        "verdict": result.verdict,
        "reasons": list(result.reasons),
        "sources": dict(result.sources),
    }


def estimate_text(result: Estimate) -> str:
    """The same for a person's eye."""
    count = result.prompt_tokens
    rows = [
        ("prompt", f"{'' if count.exact else '≈ '}{count.tokens:,} tokens ({count.tokenizer})"),
        ("1,000 requests, prompted", f"${result.prompted_usd * 1_000:,.2f}"),
        ("1,000 requests, prompted, cached", f"${result.prompted_cached_usd * 1_000:,.2f}"),
        ("1,000 requests, distilled", f"${result.distilled_usd * 1_000:,.2f}"),
        ("once", f"${result.one_time_usd:,.2f} (${result.one_time_low_usd:,.2f} to ${result.one_time_high_usd:,.2f})"),
        ("first year, uncached", _money(result.yearly_savings_usd.uncached)),
        ("first year, cached", _money(result.yearly_savings_usd.cached)),
        ("verdict", result.verdict.replace("_", " ")),
    ]
    return "\n".join([*(f"{name:<34}{value}" for name, value in rows), "", *result.reasons])


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
    if given.prices is not None:
        numbers |= {
            "input price": given.prices.input_usd_per_mtok,
            "cached input price": given.prices.cached_input_usd_per_mtok,
            "output price": given.prices.output_usd_per_mtok,
        }
    for name, value in numbers.items():
        if not (math.isfinite(value) and value >= 0):
            raise UsageError("The estimate needs other numbers.", f"{name} is {value}.", "Give 0 or more.")
        if value and not _SMALLEST <= value <= _LARGEST:
            raise UsageError(
                "The estimate needs other numbers.", f"{name} is {value}.", f"Give 0, or {_SMALLEST:g} to {_LARGEST:g}."
            )
    if given.cache_hit_rate > 1:
        raise UsageError(
            "The estimate needs other numbers.", f"cache hit rate is {given.cache_hit_rate}.", "Give a share of 0 to 1."
        )
    bounds = (given.one_time_low_usd, given.one_time_usd, given.one_time_high_usd)
    known = [bound for bound in bounds if bound is not None]
    if not all(math.isfinite(bound) and bound >= 0 for bound in known) or known != sorted(known):
        raise UsageError(
            "The estimate needs other numbers.", "The one-time cost lies outside its range.", "Give low ≤ value ≤ high."
        )


def _exact(value: float) -> Fraction:
    """The decimal that a person wrote, not its nearest binary float."""
    return Fraction(str(value))


def _per_request(given: EstimateInput, prices: Prices) -> tuple[Fraction, Fraction, Fraction]:
    """Prompted, prompted with the cache, distilled; US dollars a request."""
    prompt, question, answer = (
        _exact(count) for count in (given.prompt_tokens.tokens, given.question_tokens, given.answer_tokens)
    )
    plain, hit = _exact(prices.input_usd_per_mtok), _exact(prices.cached_input_usd_per_mtok)
    miss = plain if prices.cache_write_usd_per_mtok is None else _exact(prices.cache_write_usd_per_mtok)
    rate = _exact(given.cache_hit_rate)
    rest = question * plain + answer * _exact(prices.output_usd_per_mtok)
    distilled = question * _exact(given.distilled_input_usd_per_mtok) + answer * _exact(
        given.distilled_output_usd_per_mtok
    )
    cached = prompt * (rate * hit + (1 - rate) * miss)
    return (prompt * plain + rest) / _PER_MTOK, (cached + rest) / _PER_MTOK, distilled / _PER_MTOK


def _break_even(once: Fraction, saved_per_request: Fraction) -> int | None:
    return math.ceil(once / saved_per_request) if saved_per_request > 0 else None


def _days(requests: int | None, per_day: float) -> float | None:
    return float(requests / _exact(per_day)) if requests is not None and per_day > 0 else None


def _first_year(given: EstimateInput, saved_per_request: Fraction, once: Fraction) -> Fraction:
    trainings = 1 + _exact(given.retrainings_per_year)
    return saved_per_request * _exact(given.requests_per_day) * DAYS_PER_YEAR - trainings * once


def _verdict(uncached: Fraction, cached: Fraction) -> WorthVerdict:
    """By the first year's savings: a training must be repaid before the next one is due."""
    if cached > 0:
        return "worth_it"
    return "only_without_cache" if uncached > 0 else "not_worth_it"


def _reasons(
    given: EstimateInput,
    prices: Prices,
    per_request: tuple[Fraction, Fraction, Fraction],
    bounds: tuple[Fraction, Fraction, Fraction],
) -> tuple[str, ...]:
    prompted, cached, distilled = per_request
    low, once, high = bounds
    reasons = [
        _reason("Without the provider's cache", given, prompted, distilled, once),
        _reason(f"With a cache hit rate of {given.cache_hit_rate:.0%}", given, cached, distilled, once),
    ]
    if prices.cached_input_usd_per_mtok >= prices.input_usd_per_mtok:
        reasons.append("The provider gives no discount for cached input.")
    elif given.cache_hit_rate > 0 and given.prompt_tokens.tokens < _MIN_CACHED_TOKENS:
        reasons.append(
            f"Most providers cache only prompts of {_MIN_CACHED_TOKENS:,} tokens or more; this one has "
            f"{given.prompt_tokens.tokens:,}, so the figures without the cache are the likelier ones."
        )
    if given.retrainings_per_year > 0:
        yearly = once * _exact(given.retrainings_per_year)
        reasons.append(f"{given.retrainings_per_year:g} retrainings a year cost ${float(yearly):,.2f} more.")
    verdicts = {
        bound: _verdict(*(_first_year(given, price - distilled, bound) for price in (prompted, cached)))
        for bound in (low, once, high)
    }
    for bound in (low, high):
        if verdicts[bound] != verdicts[once]:
            words = verdicts[bound].replace("_", " ")
            reasons.append(f"If it costs ${float(bound):,.2f} once, the verdict is: {words}.")
    if verdicts[once] != "worth_it" and cached > distilled:
        reasons.append("Judged by the first year: a training should be repaid within it, and before the next one.")
    if not given.prompt_tokens.exact:
        reasons.append(f"The prompt's tokens are an estimate ({given.prompt_tokens.tokenizer}).")
    return tuple(reasons)


def _reason(case: str, given: EstimateInput, price: Fraction, distilled: Fraction, once: Fraction) -> str:
    requests = _break_even(once, price - distilled)
    if requests is None:
        return (
            f"{case}, a request costs ${float(price):.6f} and ${float(distilled):.6f} distilled: it never breaks even."
        )
    days = _days(requests, given.requests_per_day)
    when = f" ({days:,.1f} days)" if days is not None else ""
    saved = _first_year(given, price - distilled, once)
    return f"{case}, it is repaid after {requests:,} requests{when}; the first year {_money(float(saved))}."


def _money(value: float) -> str:
    return f"{'saves' if value > 0 else 'loses'} ${abs(value):,.2f}"

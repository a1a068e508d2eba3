"""An estimate laid out for the eye: the three ways side by side, their cost after so many days, the verdict.

Adds no figure of its own: everything is the estimate's, times requests or days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.economics.estimate import DAYS_PER_YEAR, BreakEven, Estimate, EstimateInput
from engine.records.cost import CostOutcome

WayName = Literal["prompted", "prompted_cached", "distilled"]
_SHORTEST_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class Way:
    """One way to answer a request; US dollars. The training is not part of it."""

    name: WayName
    prompt_tokens: int
    question_tokens: float
    answer_tokens: float
    request_usd: float
    day_usd: float
    year_usd: float


@dataclass(frozen=True, slots=True)
class Cumulated:
    """What each way has cost after each of `days`, in US dollars; the distilled one with its trainings."""

    days: tuple[float, ...]
    prompted: tuple[float, ...]
    prompted_cached: tuple[float, ...]
    distilled: tuple[float, ...]


def ways(given: EstimateInput, result: Estimate) -> tuple[Way, Way, Way]:
    """With the prompt, with the prompt in the provider's cache, and distilled."""
    tokens = result.prompt_tokens.tokens

    def way(name: WayName, prompt_tokens: int, usd: float) -> Way:
        day = usd * given.requests_per_day
        return Way(name, prompt_tokens, given.question_tokens, given.answer_tokens, usd, day, day * DAYS_PER_YEAR)

    return (
        way("prompted", tokens, result.prompted_usd),
        way("prompted_cached", tokens, result.prompted_cached_usd),
        way("distilled", 0, result.distilled_usd),
    )


def horizon_days(result: Estimate) -> float:
    """How far to look: well past the later crossing that falls within the year, else the whole first year."""
    crossings = [days for days in (result.break_even_days.uncached, result.break_even_days.cached) if days is not None]
    within = [days for days in crossings if days <= DAYS_PER_YEAR / 2]
    return max(2 * max(within), _SHORTEST_DAYS) if within and len(within) == len(crossings) else float(DAYS_PER_YEAR)


def cumulated(given: EstimateInput, result: Estimate, days: Sequence[float]) -> Cumulated:
    """The cost of each way over time. A year's retrainings are paid at even distances within it."""
    every = DAYS_PER_YEAR / (given.retrainings_per_year + 1)
    requests = [given.requests_per_day * day for day in days]
    trainings = [1 + min(int(day / every), int(given.retrainings_per_year)) for day in days]
    return Cumulated(
        days=tuple(days),
        prompted=tuple(count * result.prompted_usd for count in requests),
        prompted_cached=tuple(count * result.prompted_cached_usd for count in requests),
        distilled=tuple(
            count * result.distilled_usd + paid * result.one_time_usd
            for count, paid in zip(requests, trainings, strict=True)
        ),
    )


def outcome(result: Estimate, prompt_sha256: str) -> CostOutcome:
    """The estimate in short."""
    days = result.break_even_days
    return CostOutcome(prompt_sha256, result.verdict, days.uncached if days.cached is None else days.cached)


def sentence(result: Estimate) -> str:
    """The verdict as one sentence; `Estimate.reasons` say why."""
    days = result.break_even_days
    match result.verdict:
        case "worth_it":
            return f"Distilling pays: even with the provider's cache it is repaid {_after(days.cached)}."
        case "only_without_cache":
            return f"Distilling pays only without the provider's cache: then it is repaid {_after(days.uncached)}."
        case "not_worth_it":
            return f"Distilling does not pay: {_why_not(result.break_even_requests, days)}."


def in_short(found: CostOutcome) -> str:
    """The verdict in the few cells of a list."""
    if found.verdict == "not_worth_it" and found.break_even_days is None:
        return "never pays"
    if found.verdict == "not_worth_it":
        return "not in a year"
    if found.verdict == "only_without_cache":
        return "pays uncached"
    return f"pays in {span(found.break_even_days)}" if found.break_even_days else "pays at once"


def span(days: float | None) -> str:
    """A number of days as people say it; empty for None."""
    if days is None:
        return ""
    if days < 1:
        return "a day"
    if days < 10 and round(days, 1) != round(days):
        return f"{days:.1f} days"
    whole = round(days)
    return (
        f"{whole:,} day{'s' if whole != 1 else ''}"
        if days < 2 * DAYS_PER_YEAR
        else f"{days / DAYS_PER_YEAR:,.0f} years"
    )


def _after(days: float | None) -> str:
    if days is None:
        return "after enough requests"
    return f"after {span(days)}" if days >= 1 else "within a day" if days else "at once"


def _why_not(requests: BreakEven, days: BreakEven) -> str:
    if requests.uncached is None and requests.cached is None:
        return "a request costs no less than it does today"
    soonest = min((each for each in (days.uncached, days.cached) if each is not None), default=None)
    if soonest is None:
        return "nobody asks"
    if soonest > DAYS_PER_YEAR:
        return f"it would take {span(soonest)} to repay it"
    return "the trainings of a year cost more than they save"

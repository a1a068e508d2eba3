"""An estimate prepared for display: the three ways side by side, their cost over time, the verdict.

Adds no new figures: everything is from the estimate, multiplied by requests or days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.economics.estimate import Estimate
from engine.economics.formulas import DAYS_PER_YEAR
from engine.economics.inputs import EstimateInput
from engine.economics.labels import span
from engine.records.cost import CostOutcome

WayName = Literal["prompted", "prompted_cached", "distilled"]
WAY_WORDS: Mapping[WayName, str] = {
    "prompted": "with the prompt",
    "prompted_cached": "prompt cached",
    "distilled": "distilled",
}
_SHORTEST_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class Way:
    """One way to answer requests, with its cost in US dollars, excluding training."""

    name: WayName
    prompt_tokens: int
    question_tokens: float
    answer_tokens: float
    request_usd: float
    day_usd: float
    year_usd: float


@dataclass(frozen=True, slots=True)
class Cumulated:
    """The total cost of each way after each of `days`, in US dollars; for the distilled one, including trainings."""

    days: tuple[float, ...]
    prompted: tuple[float, ...]
    prompted_cached: tuple[float, ...]
    distilled: tuple[float, ...]


def ways(given: EstimateInput, result: Estimate) -> tuple[Way, Way, Way]:
    """Return the three ways: with the prompt, with the prompt in the provider's cache, and distilled."""
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
    """Return how many days to show: twice the later break-even if it is within half a year, else a whole year."""
    crossings = [days for days in (result.break_even_days.uncached, result.break_even_days.cached) if days is not None]
    within = [days for days in crossings if days <= DAYS_PER_YEAR / 2]
    return max(2 * max(within), _SHORTEST_DAYS) if within and len(within) == len(crossings) else float(DAYS_PER_YEAR)


def cumulated(given: EstimateInput, result: Estimate, days: Sequence[float]) -> Cumulated:
    """Return the cost of each way over time. A year's retrainings are paid at even intervals."""
    every = DAYS_PER_YEAR / (given.retrainings_per_year + 1)
    requests = [given.requests_per_day * day for day in days]
    trainings = [1 + min(int(day / every), given.retrainings_per_year) for day in days]
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
    """Return the short form of an estimate, as it is stored."""
    days = result.break_even_days
    return CostOutcome(prompt_sha256, result.verdict, days.uncached if days.cached is None else days.cached)


def short_verdict(found: CostOutcome) -> str:
    """Return the verdict in a few words, for a list."""
    if found.verdict == "not_worth_it" and found.break_even_days is None:
        return "never pays"
    if found.verdict == "not_worth_it":
        return "takes too long"  # longer than the horizon, which is not stored
    if found.verdict == "only_without_cache":
        return "pays uncached"
    return f"pays in {span(found.break_even_days)}" if found.break_even_days else "pays at once"

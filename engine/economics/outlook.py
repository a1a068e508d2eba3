"""An estimate prepared for display: the three ways side by side, their cost over time, the verdict.

Adds no new figures: everything is from the estimate, multiplied by requests or days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.economics.estimate import Estimate
from engine.economics.formulas import DAYS_PER_YEAR
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


def ways(result: Estimate) -> tuple[Way, Way, Way]:
    """Return the three ways: with the prompt, with the prompt in the provider's cache, and distilled."""
    tokens, terms = result.given.prompt_tokens.tokens, result.given.terms

    def way(name: WayName, prompt_tokens: int, usd: float) -> Way:
        day = usd * terms.requests_per_day
        return Way(name, prompt_tokens, terms.question_tokens, terms.answer_tokens, usd, day, day * DAYS_PER_YEAR)

    return (
        way("prompted", tokens, result.uncached.request_usd.value),
        way("prompted_cached", tokens, result.cached.request_usd.value),
        way("distilled", 0, result.distilled_usd.value),
    )


def horizon_days(result: Estimate) -> float:
    """Return how many days to show: twice the later break-even if it is within half a year, else a whole year."""
    crossings = [days for _, case in result.cases if (days := case.break_even_days.value) is not None]
    soon = bool(crossings) and max(crossings) <= DAYS_PER_YEAR / 2
    return max(2 * max(crossings), _SHORTEST_DAYS) if soon else float(DAYS_PER_YEAR)


def cumulated(result: Estimate, days: Sequence[float]) -> Cumulated:
    """Return the cost of each way over time. A year's retrainings are paid at even intervals."""
    prompted, cached, distilled = (way.request_usd for way in ways(result))
    terms, once = result.given.terms, result.one_time_usd.value
    every = DAYS_PER_YEAR / (terms.retrainings_per_year + 1)
    requests = [terms.requests_per_day * day for day in days]
    trainings = [1 + min(int(day / every), terms.retrainings_per_year) for day in days]
    return Cumulated(
        days=tuple(days),
        prompted=tuple(count * prompted for count in requests),
        prompted_cached=tuple(count * cached for count in requests),
        distilled=tuple(count * distilled + paid * once for count, paid in zip(requests, trainings, strict=True)),
    )


def outcome(result: Estimate, prompt_sha256: str) -> CostOutcome:
    """Return the short form of an estimate, as it is stored."""
    return CostOutcome(prompt_sha256, result.verdict, result.break_even_days)


def short_verdict(found: CostOutcome) -> str:
    """Return the verdict in a few words, for a list."""
    if found.verdict == "not_worth_it" and found.break_even_days is None:
        return "never pays"
    if found.verdict == "not_worth_it":
        return "takes too long"  # longer than the horizon, which is not stored
    if found.verdict == "only_without_cache":
        return "pays uncached"
    return f"pays in {span(found.break_even_days)}" if found.break_even_days else "pays at once"

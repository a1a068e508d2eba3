"""The inputs of an estimate: validated, and as terms for the formulas, exact or at the ends of their ranges.

Knows nothing of where they come from.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction

from engine.economics.formulas import N, Terms
from engine.economics.labels import label
from engine.economics.prices import Prices
from engine.economics.tokens import TokenCount
from engine.errors import UsageError
from engine.records.cost import Figure

_SMALLEST, _LARGEST = 1e-9, 1e12  # beyond these, quotients leave the range of floats
_LEAST_END, _MOST_END = 1e-12, 1e15  # a range may extend a little further
_SETTLED_DAYS = 30.0
_LONGEST_MONTHS = 1_200
_SHARES = ("cache_hit_rate", "discount_rate")
_TITLE = "The estimate has an invalid number."


def today() -> date:
    """Return the date from which days are counted, in UTC like all stored times."""
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class PromptFacts:
    """What a project knows of its prompt besides the text: how often it changed, and what changes with each request."""

    versions: int
    days: float  # since the first
    variables: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether the history is long enough to show how often the prompt changes; early versions are drafts."""
        return self.days >= _SETTLED_DAYS


@dataclass(frozen=True, slots=True)
class Latency:
    """Time to the first token in milliseconds, and how much of it distilling saves, with that figure's origin."""

    prompted_ms: float | None
    distilled_ms: float | None
    saved_ms: Figure


@dataclass(frozen=True, slots=True)
class EstimateInput:
    """What the caller knows. Prices are in US dollars per million tokens."""

    prompt_tokens: TokenCount
    prices: Prices
    requests_per_day: float
    question_tokens: float
    answer_tokens: float
    cache_hit_rate: float  # 0–1: share of requests whose prompt is read from the provider's cache
    one_time_usd: float  # paid once, without generation and GPU hours if those are given separately
    distilled_input_usd_per_mtok: float
    distilled_output_usd_per_mtok: float
    retrainings_per_year: float = 0.0  # each costs the one-time cost again
    generation_usd: float = 0.0
    gpu_hours: float = 0.0
    gpu_usd_per_hour: float = 0.0
    cache_min_tokens: float = 0.0  # a shorter prompt is not cached
    horizon_months: float = 12.0
    discount_rate: float = 0.0  # 0–1, per year
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # low and high by the names of `Terms`
    prompt_facts: PromptFacts | None = None
    latency: Latency | None = None
    today: date = field(default_factory=today)


@dataclass(frozen=True, slots=True)
class Box:
    """Every input at its low, at its value, and at its high."""

    low: Terms[float]
    value: Terms[float]
    high: Terms[float]


def exact_terms(given: EstimateInput) -> Terms[Fraction]:
    """Return the terms with the decimals that the user wrote, not their nearest binary floats."""
    return _terms(_values(given), lambda value: Fraction(str(value)))


def ranges_of(given: EstimateInput) -> dict[str, tuple[float, float]]:
    """Return low and high of the uncertain inputs, by the names of `Terms`."""
    known = {name: value for name, value in _values(given).items() if value is not None}
    return {
        name: (min(low, known[name]), max(high, known[name]))
        for name, (low, high) in given.ranges.items()
        if name in known
    }


def box(given: EstimateInput) -> Box:
    """Return the corners of the inputs' ranges, as floats."""
    values, found = _values(given), ranges_of(given)

    def at(index: int) -> Terms[float]:
        return _terms({name: found[name][index] if name in found else value for name, value in values.items()}, float)

    return Box(at(0), _terms(values, float), at(1))


def check(given: EstimateInput) -> None:
    """Raise `UsageError` for invalid numbers."""
    if not 1 <= given.horizon_months <= _LONGEST_MONTHS:
        raise UsageError(_TITLE, f"The horizon is {given.horizon_months} months.", f"Give 1 to {_LONGEST_MONTHS:,}.")
    for name, value in _values(given).items():
        if value is not None:
            check_number(name, value)
    for name in _SHARES:
        if (share := getattr(given, name)) > 1:
            raise UsageError(_TITLE, f"{label(name)} is {share}.", "Give a share of 0 to 1.")
    for name, (low, high) in given.ranges.items():
        check_range(name, low, high)


def check_number(name: str, value: float) -> None:
    """Raise `UsageError` for a number that cannot be used; `name` is the input's name."""
    if not (math.isfinite(value) and value >= 0):
        raise UsageError(_TITLE, f"{label(name)} is {value}.", "Give 0 or more.")
    if value and not _SMALLEST <= value <= _LARGEST:
        raise UsageError(_TITLE, f"{label(name)} is {value}.", f"Give 0, or {_SMALLEST:g} to {_LARGEST:g}.")


def check_range(name: str, low: float, high: float) -> None:
    """Raise `UsageError` for an invalid range; `name` is the input's name."""
    between = f"{label(name)} is between {low:g} and {high:g}."
    if not 0 <= low <= high or (name in _SHARES and high > 1):
        raise UsageError(_TITLE, between, "Give 0 ≤ low ≤ high; a share is at most 1.")
    if any(end and not _LEAST_END <= end <= _MOST_END for end in (low, high)):
        raise UsageError(_TITLE, between, f"Give 0, or {_LEAST_END:g} to {_MOST_END:g}.")


def _values(given: EstimateInput) -> dict[str, float | None]:
    prices = given.prices
    return {
        "prompt_tokens": given.prompt_tokens.tokens,
        "question_tokens": given.question_tokens,
        "answer_tokens": given.answer_tokens,
        "requests_per_day": given.requests_per_day,
        "input_usd_per_mtok": prices.input_usd_per_mtok,
        "cached_input_usd_per_mtok": prices.cached_input_usd_per_mtok,
        "cache_write_usd_per_mtok": prices.cache_write_usd_per_mtok,
        "output_usd_per_mtok": prices.output_usd_per_mtok,
        "cache_hit_rate": given.cache_hit_rate,
        "cache_min_tokens": given.cache_min_tokens,
        "distilled_input_usd_per_mtok": given.distilled_input_usd_per_mtok,
        "distilled_output_usd_per_mtok": given.distilled_output_usd_per_mtok,
        "one_time_usd": given.one_time_usd,
        "generation_usd": given.generation_usd,
        "gpu_hours": given.gpu_hours,
        "gpu_usd_per_hour": given.gpu_usd_per_hour,
        "retrainings_per_year": given.retrainings_per_year,
        "horizon_months": given.horizon_months,
        "discount_rate": given.discount_rate,
    }


def _terms(values: Mapping[str, float | None], number: Callable[[float], N]) -> Terms[N]:
    return Terms(**{name: number(value) for name, value in values.items() if value is not None})

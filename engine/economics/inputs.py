"""The inputs of an estimate: validated, exact, and at the ends of their ranges.

Knows nothing of where they come from.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from fractions import Fraction

from engine.economics.formulas import Terms
from engine.economics.labels import is_share, label
from engine.economics.tokens import TokenCount
from engine.errors import UsageError
from engine.records.cost import Figure

_SMALLEST, _LARGEST = 1e-9, 1e12  # beyond these, quotients leave the range of floats
_LEAST_END, _MOST_END = 1e-12, 1e15  # a range may extend a little further
_SETTLED_DAYS = 30.0
_LONGEST_MONTHS = 1_200
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
    """What an estimate is made from: the terms of the formulas, and what else the verdict depends on."""

    prompt_tokens: TokenCount
    terms: Terms[float]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # low and high of uncertain terms, by name
    prompt_facts: PromptFacts | None = None
    latency: Latency | None = None
    today: date = field(default_factory=today)
    figures: Mapping[str, Figure] = field(default_factory=dict)  # by name, if their origins are known
    sources: Mapping[str, str] = field(default_factory=dict)


def exact_terms(terms: Terms[float]) -> Terms[Fraction]:
    """Return the terms with the decimals that the user wrote, not their nearest binary floats."""
    return Terms(**{name: Fraction(str(value)) for name, value in known_terms(terms).items()})


def known_terms(terms: Terms[float]) -> dict[str, float]:
    """Return the terms by name, without those that are None."""
    return {name: value for name, value in asdict(terms).items() if value is not None}


def ranges_of(given: EstimateInput) -> dict[str, tuple[float, float]]:
    """Return low and high of the uncertain terms, by name; each range contains its value."""
    values = known_terms(given.terms)
    return {name: (min(low, values[name]), max(high, values[name])) for name, (low, high) in given.ranges.items()}


def corners(given: EstimateInput) -> tuple[Terms[float], Terms[float]]:
    """Return the terms with every uncertain one at its low, and at its high."""
    found = ranges_of(given)
    low: Terms[float] = replace(given.terms, **{name: ends[0] for name, ends in found.items()})
    high: Terms[float] = replace(given.terms, **{name: ends[1] for name, ends in found.items()})
    return low, high


def check(given: EstimateInput) -> None:
    """Raise `UsageError` for invalid numbers."""
    months = given.terms.horizon_months
    if not 1 <= months <= _LONGEST_MONTHS:
        raise UsageError(_TITLE, f"The horizon is {months} months.", f"Give 1 to {_LONGEST_MONTHS:,}.")
    for name, value in known_terms(given.terms).items():
        check_number(name, value)
        if is_share(name) and value > 1:
            raise UsageError(_TITLE, f"{label(name)} is {value}.", "Give a share of 0 to 1.")
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
    if not 0 <= low <= high or (is_share(name) and high > 1):
        raise UsageError(_TITLE, between, "Give 0 ≤ low ≤ high; a share is at most 1.")
    if any(end and not _LEAST_END <= end <= _MOST_END for end in (low, high)):
        raise UsageError(_TITLE, between, f"Give 0, or {_LEAST_END:g} to {_MOST_END:g}.")

"""Pass rates. Knows nothing of what is being counted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """A pass rate with its 95 % interval."""

    passed: int
    total: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RuleRate:
    """One rule's pass rate in one arm."""

    id: int
    text: str
    kind: str
    rate: Rate

"""Sensitivity: each input is moved over its own range while the others stay fixed, and inputs are sorted by effect.

The effect is on the present value of the savings within the horizon, and on the verdict that follows from it. If the
verdict changes within a range, the point is found by bisection. Knows nothing of where the ranges come from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.economics.formulas import Terms, per_request, worth
from engine.records.cost import WorthVerdict

_HALVINGS = 60
_NOTHING = 1e-9  # share of the largest effect below which an effect is rounding error


@dataclass(frozen=True, slots=True)
class Influence:
    """One input's effect on the result: `worth` at the input's low and at its high."""

    name: str  # as in `CostInputs`, or "prompt_tokens"
    low: float
    value: float
    high: float
    worth_low_usd: float
    worth_high_usd: float
    flips_at: float | None  # the value nearest to `value` at which the verdict changes
    flips_to: WorthVerdict | None

    @property
    def effect_usd(self) -> float:
        """By how much the input can change the savings."""
        return abs(self.worth_high_usd - self.worth_low_usd)


def verdict_of(uncached: float, cached: float) -> WorthVerdict:
    """Return the verdict for the present value of the savings: without the provider's cache and with it."""
    if cached > 0:
        return "worth_it"
    return "only_without_cache" if uncached > 0 else "not_worth_it"


def sensitivity(terms: Terms[float], ranges: Mapping[str, tuple[float, float]]) -> tuple[Influence, ...]:
    """Return the inputs that have a range and change the savings, strongest first. `ranges`: low and high by name."""
    found = [_influence(terms, name, low, high) for name, (low, high) in ranges.items() if low < high]
    largest = max((each.effect_usd for each in found), default=0.0)
    moving = [each for each in found if each.effect_usd > _NOTHING * largest or each.flips_at is not None]
    return tuple(sorted(moving, key=lambda each: (-each.effect_usd, each.name)))


def _influence(terms: Terms[float], name: str, low: float, high: float) -> Influence:
    value: float = getattr(terms, name)
    now = _verdict(terms)
    crossings = [
        (place, to)
        for end in (low, high)
        if end != value and (to := _verdict(_with(terms, name, end))) != now
        for place in [_crossing(terms, name, end, now)]
    ]
    # If both ends change the verdict, report the one that is nearer in proportion.
    at, flips_to = min(crossings, key=lambda found: _distance(value, found[0]), default=(None, None))
    return Influence(
        name, low, value, high, _worth(_with(terms, name, low)), _worth(_with(terms, name, high)), at, flips_to
    )


def _crossing(terms: Terms[float], name: str, end: float, now: WorthVerdict) -> float:
    """Return the first value, from the current one towards `end`, at which the verdict changes."""
    same, other = getattr(terms, name), end
    for _ in range(_HALVINGS):
        middle = (same + other) / 2
        if _verdict(_with(terms, name, middle)) == now:
            same = middle
        else:
            other = middle
    return other


def _distance(value: float, place: float) -> float:
    smaller, larger = sorted((value, place))
    return larger / smaller if smaller > 0 else larger - smaller + 1


def _with(terms: Terms[float], name: str, value: float) -> Terms[float]:
    changed: Terms[float] = replace(terms, **{name: value})
    return changed


def _worth(terms: Terms[float]) -> float:
    """Return the savings with the provider's cache: the case of a user who uses what the provider offers."""
    return worth(terms, per_request(terms).saved[1])


def _verdict(terms: Terms[float]) -> WorthVerdict:
    return verdict_of(*(worth(terms, saved) for saved in per_request(terms).saved))

"""The verdict on an estimate as text: a headline, the criteria one by one, and the reasons.

The verdict itself depends on the savings within the horizon; each criterion says whether one condition for it is met.
Adds no figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from engine.economics.formulas import DAYS_PER_YEAR, MONTHS_PER_YEAR, PER_MTOK, PerRequest
from engine.economics.inputs import EstimateInput
from engine.economics.labels import label, span, span_range, usd, written
from engine.economics.ranges import Range
from engine.economics.sensitivity import Influence
from engine.economics.uncertainty import USUAL_CACHE_MIN_TOKENS
from engine.records.cost import WorthVerdict
from engine.records.prompt import SHORT_PROMPT_TOKENS
from engine.wording import counted, percent

_FLIPS_TOLD = 3

CriterionName = Literal["volume", "length", "stability", "sameness", "horizon"]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition for distilling to pay. `met` is None if that is not known."""

    name: CriterionName
    met: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Case:
    """The result without the provider's cache, or with it, in US dollars; None if it never breaks even."""

    price: Fraction  # per request with the prompt
    saved: Fraction  # per request
    requests: int | None
    days: float | None
    days_range: Range
    year: Fraction
    worth: Fraction
    needed: Fraction | None  # requests per day from which it pays within the horizon


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that the texts are made from."""

    given: EstimateInput
    each: PerRequest[Fraction]
    once: Fraction
    uncached: Case
    cached: Case
    verdict: WorthVerdict
    sensitivity: Sequence[Influence]

    @property
    def cache_helps(self) -> bool:
        """Whether the provider's cache makes a request cheaper."""
        return self.each.cached < self.each.prompted

    @property
    def horizon(self) -> str:
        """The horizon as text."""
        return written("horizon_months", self.given.horizon_months)


def headline(found: Findings) -> str:
    """Return the verdict as one sentence."""
    match found.verdict:
        case "worth_it":
            even = "even with the provider's cache " if found.cache_helps else ""
            return f"Worth it: {even}it is repaid {_after(found.cached.days)}."
        case "only_without_cache":
            wins = f"the cache wins by {usd(float(-found.cached.worth))} within {found.horizon}"
            return (
                f"Only without provider caching: then it is repaid {_after(found.uncached.days)}. "
                f"With it, do not distil: {wins}."
            )
        case "not_worth_it":
            return f"Not worth it: {_why_not(found)}."


def criteria(found: Findings) -> tuple[Criterion, ...]:
    """Return the criteria: volume, length, stability, sameness, horizon."""
    return (_volume(found), _length(found), _stability(found), _sameness(found), _horizon(found))


def reasons(found: Findings) -> tuple[str, ...]:
    """Return the reasons for the verdict, and what would change it."""
    given, prices = found.given, found.given.prices
    reasons = [
        _reason("Without the provider's cache", found, found.uncached),
        _reason(f"With a cache hit rate of {percent(given.cache_hit_rate)}", found, found.cached),
    ]
    if prices.cached_input_usd_per_mtok >= prices.input_usd_per_mtok:
        reasons.append("The provider gives no discount for cached input.")
    elif given.cache_hit_rate > 0 and given.prompt_tokens.tokens < given.cache_min_tokens:
        reasons.append(
            f"The provider caches prompts of {given.cache_min_tokens:,.0f} tokens or more; this one has "
            f"{given.prompt_tokens.tokens:,}, so it is paid in full each time."
        )
    elif (
        given.cache_hit_rate > 0 and given.prompt_tokens.tokens < USUAL_CACHE_MIN_TOKENS and not given.cache_min_tokens
    ):
        reasons.append(
            f"Most providers cache only prompts of {USUAL_CACHE_MIN_TOKENS:,.0f} tokens or more; this one has "
            f"{given.prompt_tokens.tokens:,}, so the figures without the cache are the likelier ones."
        )
    if given.retrainings_per_year > 0:
        again = given.retrainings_per_year
        cost = "retraining a year costs" if again == 1 else "retrainings a year cost"
        reasons.append(f"{again:g} {cost} {usd(float(found.once) * again)} more.")
    reasons += [each.words for each in criteria(found) if each.met is False and each.name != "volume"]
    reasons += _deciding(found)
    if found.verdict != "worth_it" and found.cached.saved > 0:
        reasons.append(
            f"Judged over {found.horizon}: a training should be repaid in that time, and before the next one."
        )
    if not given.prompt_tokens.exact:
        reasons.append(f"The prompt's tokens are an estimate ({given.prompt_tokens.tokenizer}).")
    return tuple(reasons)


def _volume(found: Findings) -> Criterion:
    asked = found.given.requests_per_day
    if (needed := found.cached.needed) is None:
        return Criterion("volume", False, f"{counted(asked, 'request', ',g')} a day: no number of requests repays it.")
    enough = float(needed)
    pays = f"from {enough:,.0f} it pays within {found.horizon}" if enough else "any number of them pays"
    return Criterion("volume", asked > enough, f"{counted(asked, 'request', ',g')} a day; {pays}.")


def _length(found: Findings) -> Criterion:
    tokens = found.given.prompt_tokens.tokens
    share = float(tokens * Fraction(str(found.given.prices.input_usd_per_mtok)) / PER_MTOK / found.each.prompted) if (
        found.each.prompted > 0
    ) else 0.0  # fmt: skip
    part = f"{percent(share)} of what a request costs"
    if tokens >= SHORT_PROMPT_TOKENS:
        return Criterion("length", True, f"The prompt has {tokens:,} tokens, {part}.")
    return Criterion(
        "length", False,
        f"The prompt has {tokens:,} tokens, {part}: below {SHORT_PROMPT_TOKENS} tokens there is little to save.",
    )  # fmt: skip


def _stability(found: Findings) -> Criterion:
    facts, again = found.given.prompt_facts, found.given.retrainings_per_year
    every = f"a training must be repaid within {span(DAYS_PER_YEAR / again)}" if again else ""
    if facts is None or not facts.settled:
        so_far = (
            f": {facts.versions} versions in {span(max(facts.days, 1))}"
            if facts is not None and facts.versions > 1
            else ""
        )
        words = f"How often the prompt changes is not yet known{so_far}"
        return Criterion("stability", None, f"{words}; {every}." if every else f"{words}.")
    changes = facts.versions - 1
    a_year = changes * DAYS_PER_YEAR / facts.days
    words = f"The prompt changed {counted(changes, 'time')} in {span(facts.days)}"
    days = found.cached.days if found.cached.days is not None else found.uncached.days
    met = changes == 0 or (days is not None and days < DAYS_PER_YEAR / a_year)
    return Criterion("stability", met, f"{words}{'' if met else ', faster than a training is repaid'}.")


def _sameness(found: Findings) -> Criterion:
    facts = found.given.prompt_facts
    if facts is None:
        return Criterion("sameness", None, "Whether the prompt is the same for most requests is not known.")
    if not facts.variables:
        return Criterion("sameness", True, "Nothing in the prompt changes from request to request.")
    names = ", ".join(facts.variables)
    return Criterion(
        "sameness", False, f"These change from request to request and cannot be distilled: {names}. Move them to the "
        "question.",
    )  # fmt: skip


def _horizon(found: Findings) -> Criterion:
    days = found.cached.days
    within = found.given.horizon_months * DAYS_PER_YEAR / MONTHS_PER_YEAR
    if days is None:
        return Criterion("horizon", False, f"It is never repaid, within {found.horizon} or later.")
    words = f"It is repaid {_after(days)}; savings within {found.horizon} count."
    return Criterion("horizon", days < within, words)


def _deciding(found: Findings) -> list[str]:
    """Return the input that changes the savings most, and the inputs that change the verdict, with the values."""
    reasons = []
    if found.sensitivity:
        first = found.sensitivity[0]
        reasons.append(
            f"What matters most is {label(first.name)}: from {written(first.name, first.low)} to "
            f"{written(first.name, first.high)}, the savings within {found.horizon} go from "
            f"{usd(first.worth_low_usd)} to {usd(first.worth_high_usd)}."
        )
    return reasons + [flip_text(each) for each in found.sensitivity if each.flips_at is not None][:_FLIPS_TOLD]


def flip_text(each: Influence) -> str:
    """Return the value at which an input changes the verdict, as text; empty if it does not."""
    if each.flips_at is None or each.flips_to is None:
        return ""
    side = "above" if each.flips_at > each.value else "below"
    return f"With {label(each.name)} {side} {written(each.name, each.flips_at)}: {verdict_text(each.flips_to)}."


def verdict_text(verdict: WorthVerdict) -> str:
    """Return the verdict in a few words, matching the value of its JSON field."""
    return verdict.replace("_", " ")


def _reason(case: str, found: Findings, of: Case) -> str:
    if of.requests is None:
        return (
            f"{case}, a request costs ${float(of.price):.6f} and ${float(found.each.distilled):.6f} distilled: "
            "it never breaks even."
        )
    low, high = of.days_range.low, of.days_range.high
    between = f"; {span_range(low, high)}" if low is not None and (high is None or high > low) else ""
    when = f" ({span(of.days)}{between})" if of.days is not None else ""
    year = f"{'saves' if of.year > 0 else 'loses'} {usd(abs(float(of.year)))}"
    after = f"after {counted(of.requests or 0, 'request')}{when}" if of.requests or between else "at once"
    return f"{case}, it is repaid {after}; the first year {year}."


def _after(days: float | None) -> str:
    if days is None:
        return "after enough requests"
    return f"after {span(days)}" if days >= 1 else "within a day" if days else "at once"


def _why_not(found: Findings) -> str:
    needed, asked = found.uncached.needed, found.given.requests_per_day
    if needed is None:
        return "distilling does not make a request cheaper"
    if asked == 0:
        return "there are no requests"
    paid = " and the retrainings" if found.given.retrainings_per_year else ""
    return (
        f"{counted(asked, 'request', ',g')} a day; it takes {float(needed):,.0f} to repay it{paid} within "
        f"{found.horizon}"
    )

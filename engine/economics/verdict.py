"""The verdict on an estimate as text: a headline, the criteria one by one, and the reasons.

The verdict itself depends on the savings within the horizon; each criterion says whether one condition for it is met.
Adds no figures.
"""

from dataclasses import dataclass
from typing import Literal

from engine.economics.estimate import Case, Estimate
from engine.economics.formulas import DAYS_PER_YEAR, MONTHS_PER_YEAR, PER_MTOK
from engine.economics.labels import label, span, span_range, usd, written
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


def headline(result: Estimate) -> str:
    """Return the verdict as one sentence."""
    match result.verdict:
        case "worth_it":
            cache_helps = result.cached.request_usd.value < result.uncached.request_usd.value
            even = "even with the provider's cache " if cache_helps else ""
            return f"Worth it: {even}it is repaid {_after(result.cached.break_even_days.value)}."
        case "only_without_cache":
            wins = f"the cache wins by {usd(-result.cached.worth_usd.value)} within {result.horizon}"
            return (
                f"Only without provider caching: then it is repaid {_after(result.uncached.break_even_days.value)}. "
                f"With it, do not distil: {wins}."
            )
        case "not_worth_it":
            return f"Not worth it: {_why_not(result)}."


def criteria(result: Estimate) -> tuple[Criterion, ...]:
    """Return the criteria: volume, length, stability, sameness, horizon."""
    return (_volume(result), _length(result), _stability(result), _sameness(result), _horizon(result))


def reasons(result: Estimate) -> tuple[str, ...]:
    """Return the reasons for the verdict, and what would change it."""
    terms, prompt = result.given.terms, result.given.prompt_tokens
    reasons = [
        _reason("Without the provider's cache", result, result.uncached),
        _reason(f"With a cache hit rate of {percent(terms.cache_hit_rate)}", result, result.cached),
    ]
    if terms.cached_input_usd_per_mtok >= terms.input_usd_per_mtok:
        reasons.append("The provider gives no discount for cached input.")
    elif terms.cache_hit_rate > 0 and prompt.tokens < terms.cache_min_tokens:
        reasons.append(
            f"The provider caches prompts of {terms.cache_min_tokens:,.0f} tokens or more; this one has "
            f"{prompt.tokens:,}, so it is paid in full each time."
        )
    elif terms.cache_hit_rate > 0 and prompt.tokens < USUAL_CACHE_MIN_TOKENS and not terms.cache_min_tokens:
        reasons.append(
            f"Most providers cache only prompts of {USUAL_CACHE_MIN_TOKENS:,.0f} tokens or more; this one has "
            f"{prompt.tokens:,}, so the figures without the cache are the likelier ones."
        )
    if terms.retrainings_per_year > 0:
        again = terms.retrainings_per_year
        cost = "retraining a year costs" if again == 1 else "retrainings a year cost"
        reasons.append(f"{again:g} {cost} {usd(result.one_time_usd.value * again)} more.")
    reasons += [each.words for each in criteria(result) if each.met is False and each.name != "volume"]
    reasons += _deciding(result)
    if result.verdict != "worth_it" and result.cached.break_even_requests.value is not None:
        reasons.append(
            f"Judged over {result.horizon}: a training should be repaid in that time, and before the next one."
        )
    if not prompt.exact:
        reasons.append(f"The prompt's tokens are an estimate ({prompt.tokenizer}).")
    return tuple(reasons)


def _volume(result: Estimate) -> Criterion:
    asked = result.given.terms.requests_per_day
    if (needed := result.cached.requests_per_day_needed) is None:
        return Criterion("volume", False, f"{counted(asked, 'request', ',g')} a day: no number of requests repays it.")
    pays = f"from {needed:,.0f} it pays within {result.horizon}" if needed else "any number of them pays"
    return Criterion("volume", asked > needed, f"{counted(asked, 'request', ',g')} a day; {pays}.")


def _length(result: Estimate) -> Criterion:
    tokens, price = result.given.prompt_tokens.tokens, result.uncached.request_usd.value
    share = tokens * result.given.terms.input_usd_per_mtok / PER_MTOK / price if price > 0 else 0.0
    part = f"{percent(share)} of what a request costs"
    if tokens >= SHORT_PROMPT_TOKENS:
        return Criterion("length", True, f"The prompt has {tokens:,} tokens, {part}.")
    return Criterion(
        "length", False,
        f"The prompt has {tokens:,} tokens, {part}: below {SHORT_PROMPT_TOKENS} tokens there is little to save.",
    )  # fmt: skip


def _stability(result: Estimate) -> Criterion:
    facts, again = result.given.prompt_facts, result.given.terms.retrainings_per_year
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
    days = result.break_even_days
    met = changes == 0 or (days is not None and days < DAYS_PER_YEAR / a_year)
    return Criterion("stability", met, f"{words}{'' if met else ', faster than a training is repaid'}.")


def _sameness(result: Estimate) -> Criterion:
    facts = result.given.prompt_facts
    if facts is None:
        return Criterion("sameness", None, "Whether the prompt is the same for most requests is not known.")
    if not facts.variables:
        return Criterion("sameness", True, "Nothing in the prompt changes from request to request.")
    names = ", ".join(facts.variables)
    return Criterion(
        "sameness", False, f"These change from request to request and cannot be distilled: {names}. Move them to the "
        "question.",
    )  # fmt: skip


def _horizon(result: Estimate) -> Criterion:
    days = result.cached.break_even_days.value
    within = result.given.terms.horizon_months * DAYS_PER_YEAR / MONTHS_PER_YEAR
    if days is None:
        return Criterion("horizon", False, f"It is never repaid, within {result.horizon} or later.")
    words = f"It is repaid {_after(days)}; savings within {result.horizon} count."
    return Criterion("horizon", days < within, words)


def _deciding(result: Estimate) -> list[str]:
    """Return the input that changes the savings most, and the inputs that change the verdict, with the values."""
    reasons = []
    if result.sensitivity:
        first = result.sensitivity[0]
        reasons.append(
            f"What matters most is {label(first.name)}: from {written(first.name, first.low)} to "
            f"{written(first.name, first.high)}, the savings within {result.horizon} go from "
            f"{usd(first.worth_low_usd)} to {usd(first.worth_high_usd)}."
        )
    return reasons + [flip_text(each) for each in result.sensitivity if each.flips_at is not None][:_FLIPS_TOLD]


def flip_text(each: Influence) -> str:
    """Return the value at which an input changes the verdict, as text; empty if it does not."""
    if each.flips_at is None or each.flips_to is None:
        return ""
    side = "above" if each.flips_at > each.value else "below"
    return f"With {label(each.name)} {side} {written(each.name, each.flips_at)}: {verdict_text(each.flips_to)}."


def verdict_text(verdict: WorthVerdict) -> str:
    """Return the verdict in a few words, matching the value of its JSON field."""
    return verdict.replace("_", " ")


def _reason(words: str, result: Estimate, case: Case) -> str:
    requests, days = case.break_even_requests.value, case.break_even_days
    if requests is None:
        return (
            f"{words}, a request costs ${case.request_usd.value:.6f} and ${result.distilled_usd.value:.6f} distilled: "
            "it never breaks even."
        )
    between = span_range(days.low, days.high)
    when = f" ({'; '.join(filter(None, (span(days.value), between)))})" if days.value is not None else ""
    year = f"{'saves' if case.year_usd.value > 0 else 'loses'} {usd(abs(case.year_usd.value))}"
    after = f"after {counted(requests, 'request')}{when}" if requests or between else "at once"
    return f"{words}, it is repaid {after}; the first year {year}."


def _after(days: float | None) -> str:
    if days is None:
        return "after enough requests"
    return f"after {span(days)}" if days >= 1 else "within a day" if days else "at once"


def _why_not(result: Estimate) -> str:
    needed, asked = result.uncached.requests_per_day_needed, result.given.terms.requests_per_day
    if needed is None:
        return "distilling does not make a request cheaper"
    if asked == 0:
        return "there are no requests"
    paid = " and the retrainings" if result.given.terms.retrainings_per_year else ""
    return f"{counted(asked, 'request', ',g')} a day; it takes {needed:,.0f} to repay it{paid} within {result.horizon}"

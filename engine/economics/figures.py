"""The figures behind a project's estimate: given by the user, or else measured, listed, estimated or assumed.

Every figure has an origin and an uncertainty. Knows nothing of the formulas that use them.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from engine.clean import clean_line
from engine.economics.estimate import Estimate, estimate
from engine.economics.formulas import PER_MTOK, Terms
from engine.economics.inputs import EstimateInput, Latency, check_number, check_range, today
from engine.economics.labels import label
from engine.economics.measured import Measured
from engine.economics.prices import GIVEN, Prices, find_prices, own_prices
from engine.economics.tokens import TokenCount
from engine.economics.uncertainty import with_uncertainty
from engine.errors import UsageError
from engine.records.cost import CostInputs, Figure
from engine.wording import counted

_PRICES = ("input_usd_per_mtok", "cached_input_usd_per_mtok", "output_usd_per_mtok")
_ASSUMED_ANSWERS = 1_000  # for a few hundred accepted answers, including rejected ones and requests for questions
# Defaults for figures that were neither given nor measured. A cache that always hits is the provider's best case, so
# the savings are not overstated.
ASSUMED: Mapping[str, tuple[float, str]] = {
    "requests_per_day": (1_000, "a round number"),
    "question_tokens": (40, "a short question"),
    "answer_tokens": (200, "a few sentences"),
    "cache_hit_rate": (1.0, "every request hits, the provider's best case"),
    "cache_min_tokens": (0.0, "every prompt is cached, the provider's best case"),
    "distilled_input_usd_per_mtok": (0.05, "a small hosted model"),
    "distilled_output_usd_per_mtok": (0.2, "a small hosted model"),
    "gpu_hours": (1.0, "a small student on one rented GPU"),
    "gpu_usd_per_hour": (2.5, "one rented H100"),
    "retrainings_per_year": (0.0, "no retraining"),
    "horizon_months": (12.0, "one year"),
    "discount_rate": (0.0, "none"),
    "prefill_tokens_per_s": (5_000.0, "a hosted model"),
}
_NAME_CELLS = 120  # for the name of an unknown model; longer names are cut
_NOT_TERMS = ("prefill_tokens_per_s",)
ONE_TIME_PARTS = ("generation_usd", "gpu_hours", "gpu_usd_per_hour")  # of the one-time cost


def complete(inputs: CostInputs, measured: Measured, tokens: TokenCount, base_url: str = "") -> dict[str, Figure]:
    """Return every figure by its name in `CostInputs`, without model prices that are neither given nor listed.

    `one_time_usd` is the whole one-time cost: if it is given, generation and GPU hours do not count. With `base_url`,
    only the prices of its own provider count as listed. Prices in the project's settings count before listed ones.
    """
    figures = {
        name: _given(inputs, name) or measured.of(name) or Figure(value, "assumed", why)
        for name, (value, why) in ASSUMED.items()
    }
    listed = _listed(inputs, measured, figures, tokens, base_url)
    for name in (*_PRICES, "cache_write_usd_per_mtok"):
        price = _given(inputs, name)
        value: float | None = getattr(listed, name) if listed is not None else None
        if price is None and listed is not None and value is not None:
            price = Figure(value, "given" if listed.source == GIVEN else "listed", listed.source)
        if price is not None:
            figures[name] = price
    _mind_the_cache(inputs, figures)
    generation = _given(inputs, "generation_usd") or measured.generation_usd
    figures["generation_usd"] = generation or _generation(figures, tokens)
    if (whole := _given(inputs, "one_time_usd")) is not None:
        figures["one_time_usd"] = whole
    ranges = {name: (low, high) for name, low, high in inputs.ranges}
    for name, figure in figures.items():
        if name in ranges:
            low, high = ranges[name]
            figures[name] = replace(figure, low=low, high=high)
        else:
            figures[name] = with_uncertainty(name, figure)
    if whole is None:
        figures["one_time_usd"] = _once(figures)
    return figures


def estimate_costs(inputs: CostInputs, measured: Measured, tokens: TokenCount, base_url: str = "") -> Estimate:
    """Compute the estimate for these inputs. Raises `UsageError` if the model or its prices are not known."""
    figures = complete(inputs, measured, tokens, base_url)
    missing = [label(name).removesuffix(" price") for name in _PRICES if name not in figures]
    if missing and not inputs.model:
        raise UsageError(
            "Which model answers today?",
            "Without its name or its prices, there is nothing to compare.",
            "Give the name as its provider writes it, for example gpt-5 or claude-sonnet-4-5.",
        )
    if missing:
        at = f" from “{clean_line(inputs.provider, _NAME_CELLS)}”" if inputs.provider else ""
        raise UsageError(
            "The model's prices are not known.",
            f"The list (genai-prices) has no “{clean_line(inputs.model, _NAME_CELLS)}”{at}; "
            f"missing: {', '.join(missing)}.",
            "Give its name as its provider writes it, for example gpt-5, or give its prices.",
        )
    counted = with_uncertainty(
        "prompt_tokens", Figure(tokens.tokens, "exact" if tokens.exact else "estimated", tokens.tokenizer)
    )
    figures = {"prompt_tokens": counted, **figures}
    whole = figures["one_time_usd"].origin == "given"
    unused = ONE_TIME_PARTS if whole else ("one_time_usd",)
    for name, low, high in inputs.ranges:
        check_range(name, low, high)
        if name in unused or name not in figures:
            raise UsageError(
                "A range does not match any figure.",
                f"This estimate has no separate {label(name)}.",
                "Give that figure too, or omit its range. The one-time cost is either one figure or its parts.",
            )
    for name in _NOT_TERMS:  # `estimate` checks the terms
        if (value := getattr(inputs, name)) is not None:
            check_number(name, value)
    terms = {name: each for name, each in figures.items() if name not in (*_NOT_TERMS, *unused)}
    range_of_total = "80 % to 150 % of its value" if whole else "from generation and GPU hours"
    if any(name == "one_time_usd" for name, _, _ in inputs.ranges):
        range_of_total = "given"
    given = EstimateInput(
        prompt_tokens=tokens,
        terms=Terms(**dict.fromkeys(unused, 0.0), **{name: float(each.value) for name, each in terms.items()}),
        ranges={name: each.range for name, each in terms.items() if each.low is not None},
        prompt_facts=measured.prompt_facts,
        latency=_latency(measured, figures, tokens),
        today=today(),
        figures=figures,
        sources={
            "prices": _source_of_prices(figures),
            "tokens": tokens.tokenizer,
            "one_time_range": range_of_total,
            **{name: _source(each) for name, each in figures.items() if name != "prompt_tokens"},
        },
    )
    return estimate(given)


def _given(inputs: CostInputs, name: str) -> Figure | None:
    value: float | None = getattr(inputs, name)
    return None if value is None else Figure(value, "given", "")


def _listed(
    inputs: CostInputs, measured: Measured, figures: Mapping[str, Figure], tokens: TokenCount, base_url: str
) -> Prices | None:
    if not inputs.model:
        return None
    if not inputs.provider and (own := own_prices(measured.own_prices, inputs.model, base_url)) is not None:
        return own
    question = figures["question_tokens"].value
    sent = tokens.tokens + math.ceil(question) if math.isfinite(question) else 0
    return find_prices(inputs.model, base_url, sent, inputs.provider)


def _mind_the_cache(inputs: CostInputs, figures: dict[str, Figure]) -> None:
    """Set the cache figures that follow from other figures."""
    if "input_usd_per_mtok" in figures:
        plain = figures["input_usd_per_mtok"].value
        figures.setdefault("cached_input_usd_per_mtok", Figure(plain, "exact", "no discount for cached input"))
    if inputs.cached_input_usd_per_mtok is not None and inputs.cache_write_usd_per_mtok is None:
        figures.pop("cache_write_usd_per_mtok", None)  # the listed write price belongs to the listed discount
    if inputs.cache_hit_rate is not None and inputs.cache_min_tokens is None:
        # A user who knows the hit rate knows that the prompt is cached.
        figures["cache_min_tokens"] = Figure(0.0, "given", "the given hit rate is for this prompt")


def _once(figures: Mapping[str, Figure]) -> Figure:
    """Return the one-time cost as the sum of its parts, with its range."""
    generation, hours, price = (figures[name] for name in ONE_TIME_PARTS)
    words = f"generation ${generation.value:,.2f}, {counted(hours.value, 'GPU hour', ',.3g')} at ${price.value:,.2f}"
    low, high = (generation.range[end] + hours.range[end] * price.range[end] for end in (0, 1))
    return Figure(generation.value + hours.value * price.value, "estimated", words, low, high)


def _generation(figures: Mapping[str, Figure], tokens: TokenCount) -> Figure:
    """Return the cost of a dataset's answers if today's model is the teacher, without caching."""
    if any(name not in figures for name in _PRICES):
        return Figure(0.0, "assumed", "nothing paid")
    sent = math.ceil(tokens.tokens + figures["question_tokens"].value) * figures["input_usd_per_mtok"].value
    written = math.ceil(figures["answer_tokens"].value) * figures["output_usd_per_mtok"].value
    each = (sent + written) / PER_MTOK
    return Figure(_ASSUMED_ANSWERS * each, "estimated", f"{_ASSUMED_ANSWERS:,} answers of this model")


def _latency(measured: Measured, figures: Mapping[str, Figure], tokens: TokenCount) -> Latency:
    """Return the latency measured with this prompt, or else an estimate of the time to read the prompt."""
    if measured.latency is not None:
        return measured.latency
    speed = figures["prefill_tokens_per_s"]
    low, high = speed.range
    per_second, source = 1_000 * tokens.tokens, f"{speed.origin}: {speed.value:,.0f} prompt tokens a second"
    fast, slow = (per_second / each if each > 0 else 0.0 for each in (high, low))
    value = per_second / speed.value if speed.value > 0 else 0.0
    words = f"{source}, {speed.source}" if speed.source else source
    return Latency(None, None, Figure(value, "estimated", words, fast, slow))


def _source(figure: Figure) -> str:
    return f"{figure.origin}: {figure.source}".rstrip(": ")


def _source_of_prices(figures: Mapping[str, Figure]) -> str:
    prices = [figures[name] for name in _PRICES]
    listed = next((price.source for price in prices if price.origin == "listed"), None)
    if listed is None:
        return "given"
    return f"{listed}, and given" if any(price.origin == "given" for price in prices) else listed

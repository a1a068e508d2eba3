"""The figures behind a project's estimate: as a person gave them, else as measured, as listed, or assumed.

Every figure says where it comes from. Knows nothing of what is reckoned with them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.economics.estimate import Estimate, EstimateInput, estimate
from engine.economics.prices import Prices, find_prices
from engine.economics.tokens import TokenCount
from engine.errors import UsageError
from engine.records.cost import CostInputs, Figure
from engine.records.evaluation import Evaluation

if TYPE_CHECKING:
    from engine.project import Project

_PRICES = {
    "input_usd_per_mtok": "input",
    "cached_input_usd_per_mtok": "cached input",
    "output_usd_per_mtok": "output",
}
# What stands in for a figure that nobody gave or measured. A cache that always hits is the provider's best case: the
# savings are never overstated by it.
ASSUMED: Mapping[str, tuple[float, str]] = {
    "requests_per_day": (1_000, "a round number"),
    "question_tokens": (40, "a short question"),
    "answer_tokens": (200, "a few sentences"),
    "cache_hit_rate": (1.0, "every request hits, the provider's best case"),
    "distilled_input_usd_per_mtok": (0.05, "a small hosted model"),
    "distilled_output_usd_per_mtok": (0.2, "a small hosted model"),
    "one_time_usd": (0.0, "nothing paid"),
    "retrainings_per_year": (0.0, "never trained again"),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What a project has measured itself; None where it has not."""

    question_tokens: Figure | None = None
    answer_tokens: Figure | None = None
    one_time_usd: Figure | None = None


def measure(project: "Project", evaluation: Evaluation | None = None) -> Measured:
    """The tokens of `evaluation` (else of the last one, else of the teacher's answers), and what answers have cost."""
    evaluation = evaluation or project.evaluations.latest()
    unprompted = evaluation.arm("unprompted") if evaluation is not None else None
    distilled = evaluation.arm("distilled") if evaluation is not None else None
    source = f"evaluation of run {evaluation.run_id}" if evaluation is not None else ""
    question = Figure(round(unprompted.prompt_tokens_mean, 1), "measured", source) if unprompted else None
    answer = Figure(round(distilled.completion_tokens_mean, 1), "measured", source) if distilled else None
    if answer is None and (mean := project.examples.mean_answer_tokens()) is not None:
        answer = Figure(round(mean, 1), "measured", "the teacher's answers")
    spent = project.examples.spent_usd()
    return Measured(question, answer, Figure(spent, "measured", "paid for answers so far") if spent > 0 else None)


@dataclass(frozen=True, slots=True)
class Costs:
    """An estimate with all that it rests on."""

    given: EstimateInput
    figures: Mapping[str, Figure]
    result: Estimate


def complete(inputs: CostInputs, measured: Measured, tokens: TokenCount, base_url: str = "") -> dict[str, Figure]:
    """Every figure by its name in `CostInputs`; a price of the model that is neither given nor listed is left out.

    With `base_url` only the prices of its own provider count as listed.
    """
    figures = {
        name: _given(inputs, name) or getattr(measured, name, None) or Figure(value, "assumed", why)
        for name, (value, why) in ASSUMED.items()
    }
    listed = _listed(inputs, figures, tokens, base_url)
    for name in _PRICES:
        price = _given(inputs, name)
        if price is None and listed is not None:
            price = Figure(getattr(listed, name), "listed", listed.source)
        if price is not None:
            figures[name] = price
    if "input_usd_per_mtok" in figures:
        plain = figures["input_usd_per_mtok"].value
        figures.setdefault("cached_input_usd_per_mtok", Figure(plain, "assumed", "no discount for cached input"))
    return figures


def reckon(inputs: CostInputs, measured: Measured, tokens: TokenCount, base_url: str = "") -> Costs:
    """The estimate of these inputs. Raises `UsageError` where the model or its prices are not known."""
    figures = complete(inputs, measured, tokens, base_url)
    missing = [words for name, words in _PRICES.items() if name not in figures]
    if missing and not inputs.model:
        raise UsageError(
            "Which model answers today?",
            "Without its name, or its prices, nothing can be compared.",
            "Give the name as its provider writes it, for example gpt-5 or claude-sonnet-4-5.",
        )
    if missing:
        raise UsageError(
            "The model's prices are not known.",
            f"genai-prices has no {inputs.model!r}; missing: {', '.join(missing)}.",
            "Give its name as its provider writes it, for example gpt-5, or give its prices.",
        )
    given = EstimateInput(
        prompt_tokens=tokens,
        model=inputs.model,
        prices=_prices(figures, _listed(inputs, figures, tokens, base_url)),
        **{name: figures[name].value for name in ASSUMED},
    )
    result = estimate(given)
    sources = {name: f"{figure.origin}: {figure.source}".rstrip(": ") for name, figure in figures.items()}
    kept = ((name, words) for name, words in result.sources if name != "distilled_prices")
    return Costs(given, figures, replace(result, sources=(*kept, *sources.items())))


def _given(inputs: CostInputs, name: str) -> Figure | None:
    value: float | None = getattr(inputs, name)
    return None if value is None else Figure(value, "given", "")


def _listed(inputs: CostInputs, figures: Mapping[str, Figure], tokens: TokenCount, base_url: str) -> Prices | None:
    if not inputs.model:
        return None
    question = figures["question_tokens"].value
    asked = tokens.tokens + math.ceil(question) if math.isfinite(question) else 0
    return find_prices(inputs.model, base_url, asked)


def _prices(figures: Mapping[str, Figure], listed: Prices | None) -> Prices:
    """The prices as they stand. A write price is the provider's own: it goes with its discount for reading."""
    origins = [figures[name].origin for name in _PRICES]
    discount_listed = listed is not None and figures["cached_input_usd_per_mtok"].origin == "listed"
    source = "given" if listed is None or "listed" not in origins else listed.source
    return Prices(
        input_usd_per_mtok=figures["input_usd_per_mtok"].value,
        cached_input_usd_per_mtok=figures["cached_input_usd_per_mtok"].value,
        output_usd_per_mtok=figures["output_usd_per_mtok"].value,
        cache_write_usd_per_mtok=listed.cache_write_usd_per_mtok if listed is not None and discount_listed else None,
        source=f"{source}, and given" if source != "given" and "given" in origins else source,
    )

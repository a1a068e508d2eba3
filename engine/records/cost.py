"""Money: what a person said about it, where each figure is from, and what came of it. Reckons nothing."""

from dataclasses import dataclass
from typing import Literal

WorthVerdict = Literal["worth_it", "only_without_cache", "not_worth_it"]
Origin = Literal["given", "measured", "listed", "assumed"]


@dataclass(frozen=True, slots=True)
class CostInputs:
    """What a person said; None leaves a figure to what was measured, to the listed prices, or to an assumption.

    Prices are in US dollars a million tokens.
    """

    model: str = ""  # that answers today, as its provider calls it
    requests_per_day: float | None = None
    question_tokens: float | None = None
    answer_tokens: float | None = None
    input_usd_per_mtok: float | None = None  # of that model
    cached_input_usd_per_mtok: float | None = None
    output_usd_per_mtok: float | None = None
    cache_hit_rate: float | None = None  # 0–1
    distilled_input_usd_per_mtok: float | None = None
    distilled_output_usd_per_mtok: float | None = None
    one_time_usd: float | None = None
    retrainings_per_year: float | None = None


@dataclass(frozen=True, slots=True)
class CostOutcome:
    """The last estimate of a project in short, for where reckoning it anew would take too long."""

    prompt_sha256: str  # of the prompt that it was made for
    verdict: WorthVerdict
    break_even_days: float | None  # with the provider's cache; without it where only that breaks even


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of an estimate, with where it comes from."""

    value: float
    origin: Origin
    source: str

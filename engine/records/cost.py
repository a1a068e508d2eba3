"""Money: what a person said about it, where each figure is from, and what came of it. Reckons nothing."""

from dataclasses import dataclass
from typing import Literal

WorthVerdict = Literal["worth_it", "only_without_cache", "not_worth_it"]
# How sure a figure is: counted, said by a person, measured here, a provider's list, reckoned from others, a guess.
Origin = Literal["exact", "given", "measured", "listed", "estimated", "assumed"]


@dataclass(frozen=True, slots=True)
class CostInputs:
    """What a person said; None leaves a figure to what was measured, to the listed prices, or to an assumption.

    Prices are in US dollars a million tokens.
    """

    model: str = ""  # that answers today, as its provider calls it
    provider: str = ""  # as genai-prices calls it; empty: the one that lists the model first
    requests_per_day: float | None = None
    question_tokens: float | None = None
    answer_tokens: float | None = None
    input_usd_per_mtok: float | None = None  # of that model
    cached_input_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None  # instead of the input price, where the prompt is not in the cache
    output_usd_per_mtok: float | None = None
    cache_hit_rate: float | None = None  # 0–1
    cache_min_tokens: float | None = None  # shorter prompts are not cached
    distilled_input_usd_per_mtok: float | None = None
    distilled_output_usd_per_mtok: float | None = None
    one_time_usd: float | None = None  # all of it; else generation and GPU hours
    generation_usd: float | None = None  # questions and answers
    gpu_hours: float | None = None
    gpu_usd_per_hour: float | None = None
    retrainings_per_year: float | None = None
    horizon_months: float | None = None  # how far the savings count
    discount_rate: float | None = None  # 0–1, a year
    prefill_tokens_per_s: float | None = None  # how fast the model of today reads a prompt
    ranges: tuple[tuple[str, float, float], ...] = ()  # figure, low, high: instead of the ranges by origin


@dataclass(frozen=True, slots=True)
class CostOutcome:
    """The last estimate of a project in short, for where reckoning it anew would take too long."""

    prompt_sha256: str  # of the prompt that it was made for
    verdict: WorthVerdict
    break_even_days: float | None  # with the provider's cache; without it where only that breaks even


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of an estimate, with where it comes from, and between what it lies; None: it is sure."""

    value: float
    origin: Origin
    source: str
    low: float | None = None
    high: float | None = None

    @property
    def range(self) -> tuple[float, float]:
        """Low and high; the value itself where it is sure."""
        return (
            self.value if self.low is None else min(self.low, self.value),
            self.value if self.high is None else max(self.high, self.value),
        )

"""Costs: the user's inputs, the origin of each figure, and the result. Computes nothing."""

from dataclasses import dataclass
from typing import Literal

WorthVerdict = Literal["worth_it", "only_without_cache", "not_worth_it"]
# How certain a figure is: counted, entered by the user, measured here, from a provider's price list, derived, assumed.
Origin = Literal["exact", "given", "measured", "listed", "estimated", "assumed"]


@dataclass(frozen=True, slots=True)
class EndpointPrices:
    """What the user pays an endpoint for a model, in US dollars per million tokens; counts instead of a list price."""

    model: str
    base_url: str
    input_usd_per_mtok: float
    cached_input_usd_per_mtok: float
    output_usd_per_mtok: float


@dataclass(frozen=True, slots=True)
class CostInputs:
    """What the user entered. None: use the measured value, the listed price, or an assumption.

    Prices are in US dollars per million tokens.
    """

    model: str = ""  # the model in use today, by its provider's name for it
    provider: str = ""  # by its name in genai-prices; empty: the first one that lists the model
    requests_per_day: float | None = None
    question_tokens: float | None = None
    answer_tokens: float | None = None
    input_usd_per_mtok: float | None = None  # of the model in use today
    cached_input_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None  # replaces the input price when the prompt is not yet cached
    output_usd_per_mtok: float | None = None
    cache_hit_rate: float | None = None  # 0–1
    cache_min_tokens: float | None = None  # shorter prompts are not cached
    distilled_input_usd_per_mtok: float | None = None
    distilled_output_usd_per_mtok: float | None = None
    one_time_usd: float | None = None  # total one-time cost; None: generation plus GPU hours
    generation_usd: float | None = None  # generating questions and answers
    gpu_hours: float | None = None
    gpu_usd_per_hour: float | None = None
    retrainings_per_year: float | None = None
    horizon_months: float | None = None  # period over which savings are counted
    discount_rate: float | None = None  # 0–1, per year
    prefill_tokens_per_s: float | None = None  # how fast the model in use today reads a prompt
    ranges: tuple[tuple[str, float, float], ...] = ()  # (figure, low, high): override the ranges by origin


@dataclass(frozen=True, slots=True)
class CostOutcome:
    """Short form of a project's last estimate, shown when computing it again would take too long."""

    prompt_sha256: str  # the prompt that the estimate was made for
    verdict: WorthVerdict
    break_even_days: float | None  # with the provider's cache, or without it if it only breaks even that way


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of an estimate, with its origin and its range. No range (None) means that it is certain."""

    value: float
    origin: Origin
    source: str
    low: float | None = None
    high: float | None = None

    @property
    def range(self) -> tuple[float, float]:
        """Low and high; both are the value itself if it is certain."""
        return (
            self.value if self.low is None else min(self.low, self.value),
            self.value if self.high is None else max(self.high, self.value),
        )

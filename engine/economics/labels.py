"""Every input of an estimate in words, and values formatted for people. Knows nothing of what is computed."""

from dataclasses import dataclass
from typing import Literal

from engine.wording import counted

Unit = Literal["number", "tokens", "usd", "usd_per_mtok", "share", "hours", "months", "speed"]


@dataclass(frozen=True, slots=True)
class Described:
    """An input's label, the unit that it is written in, and the help of its option; "" for what is counted."""

    label: str
    unit: Unit
    help: str = ""


INPUTS: dict[str, Described] = {
    "prompt_tokens": Described("prompt tokens", "tokens"),
    "requests_per_day": Described("requests a day", "number", "Number of requests per day."),
    "question_tokens": Described("question tokens", "tokens", "Average length of a question, in tokens."),
    "answer_tokens": Described("answer tokens", "tokens", "Average length of an answer, in tokens."),
    "input_usd_per_mtok": Described(
        "input price", "usd_per_mtok",
        "USD per million input tokens of the model; defaults to the list price."),
    "cached_input_usd_per_mtok": Described(
        "cached input price", "usd_per_mtok",
        "USD per million input tokens read from the prompt cache; defaults to the list price."),
    "cache_write_usd_per_mtok": Described(
        "cache write price", "usd_per_mtok",
        "USD per million input tokens written to the prompt cache; defaults to the list price."),
    "output_usd_per_mtok": Described(
        "output price", "usd_per_mtok",
        "USD per million output tokens of the model; defaults to the list price."),
    "cache_hit_rate": Described(
        "cache hit rate", "share",
        "Share of requests that find the prompt in the provider's cache, from 0 to 1."),
    "cache_min_tokens": Described(
        "shortest cached prompt", "tokens",
        "Minimum length of a prompt that the provider caches, in tokens."),
    "one_time_usd": Described(
        "one-time cost", "usd",
        "Total one-time cost in USD; replaces --generation-usd, --gpu-hours and --gpu-usd-per-hour."),
    "generation_usd": Described("generation", "usd", "Cost of generating questions and answers, in USD."),
    "gpu_hours": Described("GPU hours", "hours", "GPU hours that one training takes."),
    "gpu_usd_per_hour": Described("price per GPU hour", "usd", "Price of a GPU hour, in USD."),
    "distilled_input_usd_per_mtok": Described(
        "student's input price", "usd_per_mtok",
        "USD per million input tokens of the distilled model."),
    "distilled_output_usd_per_mtok": Described(
        "student's output price", "usd_per_mtok",
        "USD per million output tokens of the distilled model."),
    "retrainings_per_year": Described("retrainings a year", "number", "How often the student is retrained per year."),
    "horizon_months": Described(
        "horizon", "months",
        "Number of months over which savings count; defaults to 12."),
    "discount_rate": Described("discount rate", "share", "Discount rate per year, such as 0.08 for 8 %."),
    "prefill_tokens_per_s": Described(
        "prefill speed", "speed",
        "Speed at which the model reads a prompt, in tokens per second."),
}  # fmt: skip


def label(name: str) -> str:
    """Return the label of an input."""
    return INPUTS[name].label


def is_share(name: str) -> bool:
    """Return whether an input is a share from 0 to 1."""
    return INPUTS[name].unit == "share"


def written(name: str, value: float) -> str:
    """Format a value of the input `name`, with its unit."""
    match INPUTS[name].unit:
        case "usd":
            return usd(value)
        case "usd_per_mtok":
            return f"${_digits(value)}/M"
        case "share":
            return f"{_digits(100 * value)} %"
        case "hours":
            return f"{_digits(value)} h"
        case "months":
            return f"{_digits(value)} month" + ("" if value == 1 else "s")
        case "speed":
            return f"{_digits(value)} tokens/s"
        case "tokens" | "number":
            return _digits(value)


def written_range(name: str, low: float, high: float) -> str:
    """Format a range of the input `name`, empty if it has no width."""
    return f"{written(name, low)} to {written(name, high)}" if low < high else ""


def usd(value: float) -> str:
    """Format an amount in US dollars, to the cent."""
    return f"{'−' if value < 0 else ''}${abs(value):,.2f}"


def span(days: float | None) -> str:
    """Format a number of days, such as “0.4 days”, “12 days” or “3 years”; empty for None."""
    if days is None:
        return ""
    if 0 < days < 0.05:
        return "less than 0.1 days"
    if days < 10 and round(days, 1) != round(days):
        return f"{days:.1f} days"
    whole = round(days)
    return counted(whole, "day") if days < 2 * 365 else f"{days / 365:,.0f} years"


def span_range(low: float | None, high: float | None) -> str:
    """Format a range of days, empty if it has no width; without a `high` bound it may take forever."""
    return "" if low is None or low == high else f"{span(low)} to {'never' if high is None else span(high)}"


def _digits(value: float) -> str:
    """Format to four significant digits."""
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if value >= 1e-4 or value == 0 else f"{value:.2g}"

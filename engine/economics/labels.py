"""Labels of the inputs, and their values formatted for people. Knows nothing of what is computed."""

from typing import Literal

from engine.wording import counted

_Unit = Literal["number", "tokens", "usd", "usd_per_mtok", "share", "hours", "months", "speed"]

LABELS: dict[str, tuple[str, _Unit]] = {
    "prompt_tokens": ("prompt tokens", "tokens"),
    "requests_per_day": ("requests a day", "number"),
    "question_tokens": ("question tokens", "tokens"),
    "answer_tokens": ("answer tokens", "tokens"),
    "input_usd_per_mtok": ("input price", "usd_per_mtok"),
    "cached_input_usd_per_mtok": ("cached input price", "usd_per_mtok"),
    "cache_write_usd_per_mtok": ("cache write price", "usd_per_mtok"),
    "output_usd_per_mtok": ("output price", "usd_per_mtok"),
    "cache_hit_rate": ("cache hit rate", "share"),
    "cache_min_tokens": ("shortest cached prompt", "tokens"),
    "distilled_input_usd_per_mtok": ("student's input price", "usd_per_mtok"),
    "distilled_output_usd_per_mtok": ("student's output price", "usd_per_mtok"),
    "one_time_usd": ("one-time cost", "usd"),
    "generation_usd": ("generation", "usd"),
    "gpu_hours": ("GPU hours", "hours"),
    "gpu_usd_per_hour": ("price per GPU hour", "usd"),
    "retrainings_per_year": ("retrainings a year", "number"),
    "horizon_months": ("horizon", "months"),
    "discount_rate": ("discount rate", "share"),
    "prefill_tokens_per_s": ("prefill speed", "speed"),
}


def label(name: str) -> str:
    """Return the label of an input."""
    return LABELS[name][0]


def is_share(name: str) -> bool:
    """Return whether an input is a share from 0 to 1."""
    return LABELS[name][1] == "share"


def written(name: str, value: float) -> str:
    """Format a value of the input `name`, with its unit."""
    match LABELS[name][1]:
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

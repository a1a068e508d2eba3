"""An estimate as JSON for programs and as text for people. Adds no figures."""

from dataclasses import asdict

from engine.economics.estimate import Estimate
from engine.economics.labels import label, span, span_range, usd, written
from engine.economics.ranges import Range, Ranges
from engine.economics.sensitivity import Influence
from engine.economics.verdict import flip_text, verdict_text
from engine.records.cost import Figure

_MARKS = {True: "✓", False: "✗", None: "○"}
_LABEL = 34  # cells
_BAR = 20


def estimate_json(result: Estimate) -> dict[str, object]:
    """Return the object printed by `estimate --json`, schema 1."""
    requests, days = result.break_even_requests, result.break_even_days
    return {
        "schema": 1,
        "tokens": {
            "prompt": result.prompt_tokens.tokens,
            "tokenizer": result.prompt_tokens.tokenizer,
            "exact": result.prompt_tokens.exact,
        },
        "per_request_usd": {
            "prompted": result.prompted_usd,
            "prompted_cached": result.prompted_cached_usd,
            "distilled": result.distilled_usd,
        },
        "per_request_range_usd": {
            "prompted": asdict(result.uncached.request_usd),
            "prompted_cached": asdict(result.cached.request_usd),
            "distilled": asdict(result.distilled_range_usd),
        },
        "one_time_usd": {
            "value": result.one_time_usd,
            "low": result.one_time_low_usd,
            "high": result.one_time_high_usd,
        },
        "break_even_requests": asdict(requests),
        "break_even_days": asdict(days),
        "break_even_date": {"uncached": _date(result, days.uncached), "cached": _date(result, days.cached)},
        "break_even_range": {
            name: {
                "requests": asdict(found.break_even_requests),
                "days": asdict(found.break_even_days),
                "date": {
                    "low": _date(result, found.break_even_days.low),
                    "high": _date(result, found.break_even_days.high),
                },
            }
            for name, found in _cases(result)
        },
        "requests_per_day_needed": asdict(result.requests_per_day_needed),
        "yearly_savings_usd": asdict(result.yearly_savings_usd),
        "savings_usd": {
            "month": {
                name: _with_range(getattr(result.monthly_savings_usd, name), found.month_usd)
                for name, found in _cases(result)
            },
            "year": {
                name: _with_range(getattr(result.yearly_savings_usd, name), found.year_usd)
                for name, found in _cases(result)
            },
            "horizon": {
                name: _with_range(getattr(result.worth_usd, name), found.worth_usd) for name, found in _cases(result)
            },
        },
        "horizon": {"months": result.horizon_months, "discount_rate": result.discount_rate},
        "latency": _latency(result),
        "sensitivity": [_influence(each) for each in result.sensitivity],
        "verdict": result.verdict,
        "headline": result.headline,
        "criteria": [asdict(each) for each in result.criteria],
        "reasons": list(result.reasons),
        "inputs": {name: _figure(each) for name, each in result.inputs.items()},
        "sources": dict(result.sources),
    }


def estimate_text(result: Estimate) -> str:
    """Return the same as text, at most 100 cells wide except for the reasons."""
    count, uncached, cached = result.prompt_tokens, result.uncached, result.cached
    days, yearly, monthly = result.break_even_days, result.yearly_savings_usd, result.monthly_savings_usd
    horizon = written("horizon_months", result.horizon_months)
    rate = f", discounted at {written('discount_rate', result.discount_rate)}" if result.discount_rate else ""
    year, worth = _money(yearly.cached, cached.year_usd), _money(result.worth_usd.cached, cached.worth_usd) + rate
    rows = [
        ("prompt", f"{'' if count.exact else '≈ '}{count.tokens:,} tokens ({count.tokenizer})"),
        ("1,000 requests, prompted", _money(result.prompted_usd, uncached.request_usd, 1_000)),
        ("1,000 requests, prompted, cached", _money(result.prompted_cached_usd, cached.request_usd, 1_000)),
        ("1,000 requests, distilled", _money(result.distilled_usd, result.distilled_range_usd, 1_000)),
        ("one-time cost", _money(result.one_time_usd, Range(result.one_time_low_usd, result.one_time_high_usd))),
        ("repaid, uncached", _when(result, days.uncached, uncached)),
        ("repaid, cached", _when(result, days.cached, cached)),
        ("saved after a month, uncached", _money(monthly.uncached, uncached.month_usd)),
        ("saved after a month, cached", _money(monthly.cached, cached.month_usd)),
        ("saved in the first year, uncached", _money(yearly.uncached, uncached.year_usd)),
        ("saved in the first year, cached", year),
        (f"saved in {horizon}, cached", worth if rate or worth != year else ""),
        ("time to first token", _first_token(result)),
        ("verdict", verdict_text(result.verdict)),
    ]
    lines = [result.headline, "", *(f"{name:<{_LABEL}}{value}" for name, value in rows if value)]
    lines += ["", *(f"{_MARKS[each.met]} {each.words}" for each in result.criteria)]
    lines += ["", *result.reasons]
    if result.sensitivity:
        lines += ["", f"what affects the savings in {horizon}, cached", *_table(result)]
    if result.inputs:
        lines += ["", "where the figures come from", *map(_source, result.inputs.items())]
    return "\n".join(lines)


def latency_text(result: Estimate) -> str:
    """Return how much sooner the first token comes after distilling; empty if unknown."""
    if (found := result.latency) is None:
        return ""
    saved = found.saved_ms
    if saved.origin == "measured" and found.prompted_ms is not None and found.distilled_ms is not None:
        return f"{found.prompted_ms:,.0f} → {found.distilled_ms:,.0f} ms (measured: {saved.source})"
    low, high = saved.range
    between = f" ({low:,.0f} to {high:,.0f})" if low < high else ""
    return f"≈ {saved.value:,.0f} ms sooner, uncached{between}"


def _first_token(result: Estimate) -> str:
    words, found = latency_text(result), result.latency
    return words if found is None or found.saved_ms.origin == "measured" else f"{words}; {found.saved_ms.source}"


def effects(result: Estimate) -> list[tuple[Influence, float]]:
    """Return each input that changes the savings, with its effect as a share of the largest effect."""
    largest = max((each.effect_usd for each in result.sensitivity), default=0.0) or 1.0
    return [(each, each.effect_usd / largest) for each in result.sensitivity]


def _table(result: Estimate) -> list[str]:
    lines = []
    for each, share in effects(result):
        span_words = f"{written(each.name, each.low)} to {written(each.name, each.high)}"
        bar = "█" * max(round(share * _BAR), 1)
        flip = flip_text(each)
        lines.append(f"  {label(each.name):<24}{span_words:<26}{bar:<{_BAR + 2}}{usd(each.effect_usd)}".rstrip())
        if flip:
            lines.append(f"    ! {flip}")
    return lines


def _source(item: tuple[str, Figure]) -> str:
    name, figure = item
    low, high = figure.range
    between = f" ({written(name, low)} to {written(name, high)})" if low < high else ""
    origin = "listed price" if figure.origin == "listed" else figure.origin
    return f"  {label(name):<24}{written(name, figure.value)}{between}  {origin}: {figure.source}".rstrip(": ")


def _money(value: float, found: Range, times: float = 1.0) -> str:
    low, high = found.low, found.high
    between = "" if low is None or high is None or low == high else f" ({usd(low * times)} to {usd(high * times)})"
    return f"{usd(value * times)}{between}"


def _when(result: Estimate, days: float | None, found: Ranges) -> str:
    low, high = found.break_even_days.low, found.break_even_days.high
    if days is None:
        return "never" if low is None else f"never; at best after {span(low)}"
    when = ", ".join(filter(None, (f"after {span(days)}", _date(result, days))))
    return when if low is None or low == high else f"{when} ({span_range(low, high)})"


def _cases(result: Estimate) -> tuple[tuple[str, Ranges], ...]:
    return (("uncached", result.uncached), ("cached", result.cached))


def _date(result: Estimate, days: float | None) -> str | None:
    found = result.date_after(days)
    return None if found is None else found.isoformat()


def _with_range(value: float, found: Range) -> dict[str, float | None]:
    return {"value": value, "low": found.low, "high": found.high}


def _figure(figure: Figure) -> dict[str, object]:
    low, high = figure.range
    return {"value": figure.value, "low": low, "high": high, "origin": figure.origin, "source": figure.source}


def _latency(result: Estimate) -> dict[str, object] | None:
    if (found := result.latency) is None:
        return None
    return {"prompted_ms": found.prompted_ms, "distilled_ms": found.distilled_ms, "saved_ms": _figure(found.saved_ms)}


def _influence(each: Influence) -> dict[str, object]:
    return {**asdict(each), "effect_usd": each.effect_usd, "label": label(each.name), "words": flip_text(each)}

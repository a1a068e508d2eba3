"""An estimate as JSON for programs and as text for people. Adds no figures."""

from dataclasses import asdict

from engine.economics.estimate import Case, Estimate, Ranged
from engine.economics.inputs import Latency
from engine.economics.labels import label, span, span_range, usd, written, written_range
from engine.economics.sensitivity import Influence
from engine.economics.verdict import criteria, flip_text, headline, reasons, verdict_text
from engine.records.cost import Figure

_MARKS = {True: "✓", False: "✗", None: "○"}
_LABEL = 34  # cells
_BAR = 20


def estimate_json(result: Estimate) -> dict[str, object]:
    """Return the object printed by `estimate --json`, schema 1."""
    given, uncached, cached = result.given, result.uncached, result.cached
    per_request = {
        "prompted": uncached.request_usd,
        "prompted_cached": cached.request_usd,
        "distilled": result.distilled_usd,
    }
    return {
        "schema": 1,
        "tokens": {
            "prompt": given.prompt_tokens.tokens,
            "tokenizer": given.prompt_tokens.tokenizer,
            "exact": given.prompt_tokens.exact,
        },
        "per_request_usd": {name: found.value for name, found in per_request.items()},
        "per_request_range_usd": {name: _bounds(found) for name, found in per_request.items()},
        "one_time_usd": asdict(result.one_time_usd),
        "break_even_requests": {name: case.break_even_requests.value for name, case in result.cases},
        "break_even_days": {name: case.break_even_days.value for name, case in result.cases},
        "break_even_date": {name: _date(result, case.break_even_days.value) for name, case in result.cases},
        "break_even_range": {
            name: {
                "requests": _bounds(case.break_even_requests),
                "days": _bounds(case.break_even_days),
                "date": {end: _date(result, days) for end, days in _bounds(case.break_even_days).items()},
            }
            for name, case in result.cases
        },
        "requests_per_day_needed": {name: case.requests_per_day_needed for name, case in result.cases},
        "yearly_savings_usd": {name: case.year_usd.value for name, case in result.cases},
        "savings_usd": {
            "month": {name: asdict(case.month_usd) for name, case in result.cases},
            "year": {name: asdict(case.year_usd) for name, case in result.cases},
            "horizon": {name: asdict(case.worth_usd) for name, case in result.cases},
        },
        "horizon": {"months": given.terms.horizon_months, "discount_rate": given.terms.discount_rate},
        "latency": _latency(given.latency),
        "sensitivity": [_influence(each) for each in result.sensitivity],
        "verdict": result.verdict,
        "headline": headline(result),
        "criteria": [asdict(each) for each in criteria(result)],
        "reasons": list(reasons(result)),
        "inputs": {name: _figure(each) for name, each in given.figures.items()},
        "sources": dict(given.sources),
    }


def estimate_text(result: Estimate) -> str:
    """Return the same as text, at most 100 cells wide except for the reasons."""
    count, cached = result.given.prompt_tokens, result.cached
    year, worth = _money(cached.year_usd), f"{_money(cached.worth_usd)}{discount_text(result)}"
    rows = [
        ("prompt", f"{'' if count.exact else '≈ '}{count.tokens:,} tokens ({count.tokenizer})"),
        ("1,000 requests, prompted", _money(result.uncached.request_usd, 1_000)),
        ("1,000 requests, prompted, cached", _money(cached.request_usd, 1_000)),
        ("1,000 requests, distilled", _money(result.distilled_usd, 1_000)),
        ("one-time cost", _money(result.one_time_usd)),
        *((f"repaid, {name}", _when(result, case)) for name, case in result.cases),
        *((f"saved after a month, {name}", _money(case.month_usd)) for name, case in result.cases),
        *((f"saved in the first year, {name}", _money(case.year_usd)) for name, case in result.cases),
        (f"saved in {result.horizon}, cached", worth if worth != year else ""),
        ("time to first token", _first_token(result)),
        ("verdict", verdict_text(result.verdict)),
    ]
    lines = [headline(result), "", *(f"{name:<{_LABEL}}{value}" for name, value in rows if value)]
    lines += ["", *(f"{_MARKS[each.met]} {each.words}" for each in criteria(result))]
    lines += ["", *reasons(result)]
    if result.sensitivity:
        lines += ["", f"what affects the savings in {result.horizon}, cached", *_table(result)]
    if result.given.figures:
        lines += ["", "where the figures come from", *map(_source, result.given.figures.items())]
    return "\n".join(lines)


def discount_text(result: Estimate) -> str:
    """Return the discount on the savings within the horizon, as the end of a phrase; empty if there is none."""
    rate = result.given.terms.discount_rate
    return f", discounted at {written('discount_rate', rate)}" if rate else ""


def latency_text(result: Estimate) -> str:
    """Return how much sooner the first token comes after distilling; empty if unknown."""
    if (found := result.given.latency) is None:
        return ""
    saved = found.saved_ms
    if saved.origin == "measured" and found.prompted_ms is not None and found.distilled_ms is not None:
        return f"{found.prompted_ms:,.0f} → {found.distilled_ms:,.0f} ms (measured: {saved.source})"
    low, high = saved.range
    between = f" ({low:,.0f} to {high:,.0f})" if low < high else ""
    return f"≈ {saved.value:,.0f} ms sooner, uncached{between}"


def _first_token(result: Estimate) -> str:
    words, found = latency_text(result), result.given.latency
    return words if found is None or found.saved_ms.origin == "measured" else f"{words}; {found.saved_ms.source}"


def effects(result: Estimate) -> list[tuple[Influence, float]]:
    """Return each input that changes the savings, with its effect as a share of the largest effect."""
    largest = max((each.effect_usd for each in result.sensitivity), default=0.0) or 1.0
    return [(each, each.effect_usd / largest) for each in result.sensitivity]


def _table(result: Estimate) -> list[str]:
    lines = []
    for each, share in effects(result):
        words = written_range(each.name, each.low, each.high)
        bar = "█" * max(round(share * _BAR), 1)
        flip = flip_text(each)
        lines.append(f"  {label(each.name):<24}{words:<26}{bar:<{_BAR + 2}}{usd(each.effect_usd)}".rstrip())
        if flip:
            lines.append(f"    ! {flip}")
    return lines


def _source(item: tuple[str, Figure]) -> str:
    name, figure = item
    words = written_range(name, *figure.range)
    between = f" ({words})" if words else ""
    origin = "listed price" if figure.origin == "listed" else figure.origin
    return f"  {label(name):<24}{written(name, figure.value)}{between}  {origin}: {figure.source}".rstrip(": ")


def _money(found: Ranged[float], times: float = 1.0) -> str:
    between = f" ({usd(found.low * times)} to {usd(found.high * times)})" if found.low < found.high else ""
    return f"{usd(found.value * times)}{between}"


def _when(result: Estimate, case: Case) -> str:
    days = case.break_even_days
    if days.value is None:
        return "never" if days.low is None else f"never; at best after {span(days.low)}"
    when = ", ".join(filter(None, (f"after {span(days.value)}", _date(result, days.value))))
    between = span_range(days.low, days.high)
    return f"{when} ({between})" if between else when


def _date(result: Estimate, days: float | None) -> str | None:
    found = result.date_after(days)
    return None if found is None else found.isoformat()


def _bounds(found: Ranged[float | None]) -> dict[str, float | None]:
    return {"low": found.low, "high": found.high}


def _figure(figure: Figure) -> dict[str, object]:
    low, high = figure.range
    return {"value": figure.value, "low": low, "high": high, "origin": figure.origin, "source": figure.source}


def _latency(found: Latency | None) -> dict[str, object] | None:
    return None if found is None else {**asdict(found), "saved_ms": _figure(found.saved_ms)}


def _influence(each: Influence) -> dict[str, object]:
    return {**asdict(each), "effect_usd": each.effect_usd, "label": label(each.name), "words": flip_text(each)}

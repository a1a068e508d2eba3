"""What distilling costs and saves, as a section: three options, cost over time, the source of each figure. Pure."""

from collections.abc import Iterator

from engine.economics.document import latency_text
from engine.economics.estimate import Estimate
from engine.economics.figures import Costs
from engine.economics.labels import label, span, span_range, written
from engine.economics.outlook import WAY_WORDS, cumulated, horizon_days, ways
from engine.economics.ranges import Range, Ranges
from engine.economics.sensitivity import Influence
from engine.economics.verdict import verdict_text
from engine.records.cost import Figure
from engine.reports.document import (
    Chart,
    Charts,
    Column,
    Fact,
    Facts,
    Mark,
    Row,
    Section,
    Series,
    Table,
    Words,
)
from engine.reports.facts import ReportFacts
from engine.reports.numbers import MISSING, usd
from engine.wording import counted

_POINTS = 120  # per line of the chart
_DAYS = (1, 7, 30, 90, 180, 365)


def money(facts: ReportFacts) -> Section:
    """Whether it pays, and when."""
    costs = facts.proof.costs
    if costs is None:
        return Section(
            "cost",
            "Cost",
            (
                Words(facts.proof.costs_note),
                Words("To price another model: distill-tui estimate --model NAME", "quiet"),
            ),
        )
    result = costs.result
    return Section(
        "cost",
        "Cost",
        (
            Words(result.headline),
            _ways(costs),
            Charts((_chart(costs),), _over_time(costs)),
            Facts(tuple(_repayment(result))),
            _savings(result),
            _criteria(result),
            *(Words(reason, "quiet") for reason in result.reasons),
            *_sensitivity(result),
            _figures(costs),
        ),
    )


def _ways(costs: Costs) -> Table:
    return Table(
        "Cost of a request, three options, US dollars",
        (
            Column("option"),
            Column("prompt tokens", number=True),
            Column("1,000 requests", number=True),
            Column("per day", number=True),
            Column("per year", number=True),
        ),
        tuple(
            Row(
                (
                    WAY_WORDS[way.name],
                    f"{way.prompt_tokens:,}",
                    usd(1000 * way.request_usd),
                    usd(way.day_usd),
                    usd(way.year_usd),
                ),
                strong=way.name == "distilled",
            )
            for way in ways(costs.given, costs.result)
        ),
    )


def _chart(costs: Costs) -> Chart:
    end = horizon_days(costs.result)
    over = cumulated(costs.given, costs.result, [end * place / _POINTS for place in range(_POINTS + 1)])
    marks = tuple(
        Mark(days, f"repaid, {name}: {span(days)}", found.break_even_days.low, found.break_even_days.high)
        for name, days, found in _cases(costs.result)
        if days is not None and 0 < days <= end
    )
    return Chart(
        "Cumulative cost, US dollars",
        "days",
        (
            Series(WAY_WORDS["prompted"], over.days, over.prompted, "second"),
            Series(WAY_WORDS["prompted_cached"], over.days, over.prompted_cached, "third"),
            Series(WAY_WORDS["distilled"], over.days, over.distilled, "main"),
        ),
        unit="usd",
        marks=marks,
    )


def _over_time(costs: Costs) -> Table:
    over = cumulated(costs.given, costs.result, _DAYS)
    rows = zip(over.days, over.prompted, over.prompted_cached, over.distilled, strict=True)
    return Table(
        "Cumulative cost, US dollars",
        (Column("day"), *(Column(name, number=True) for name in WAY_WORDS.values())),
        tuple(Row((f"{day:g}", *map(usd, values))) for day, *values in rows),
    )


def _cases(result: Estimate) -> tuple[tuple[str, float | None, Ranges], ...]:
    """Without and with the provider's cache: the days until the training is repaid, and all ranges."""
    days = result.break_even_days
    return (("uncached", days.uncached, result.uncached), ("cached", days.cached, result.cached))


def _repayment(result: Estimate) -> Iterator[Fact]:
    counts = (result.break_even_requests.uncached, result.break_even_requests.cached)
    for (name, days, found), count in zip(_cases(result), counts, strict=True):
        if count is None:
            yield Fact(f"repaid, prompt {name}", "never", _at_best(found.break_even_days))
            continue
        if not count:
            yield Fact(f"repaid, prompt {name}", "at once", _between_days(found.break_even_days))
            continue
        on = result.date_after(days)
        notes = (
            span(days),
            f"on {on.isoformat()}" if on is not None else "",
            _between_days(found.break_even_days),
        )
        yield Fact(
            f"repaid, prompt {name}", f"after {counted(count, 'request', ',.0f')}", ", ".join(filter(None, notes))
        )
    once = f"range {usd(result.one_time_low_usd)} to {usd(result.one_time_high_usd)}"
    yield Fact("one-time cost", usd(result.one_time_usd), once)
    if sooner := latency_text(result):
        yield Fact("time to first token", sooner)


def _at_best(found: Range) -> str:
    return "" if found.low is None else f"at best after {span(found.low)}"


def _between_days(found: Range) -> str:
    if found.low is None or found.low == found.high:
        return ""
    return f"range {span_range(found.low, found.high)}"


def _savings(result: Estimate) -> Table:
    """The savings after a month, a year and the horizon, net of the training cost."""
    horizon = written("horizon_months", result.horizon_months)
    rate = f", discounted at {written('discount_rate', result.discount_rate)}" if result.discount_rate else ""
    uncached, cached = result.uncached, result.cached
    rows = [
        ("after one month", result.monthly_savings_usd, uncached.month_usd, cached.month_usd),
        ("after one year", result.yearly_savings_usd, uncached.year_usd, cached.year_usd),
    ]
    if rate or result.worth_usd != result.yearly_savings_usd:
        rows.append((f"in {horizon}{rate}", result.worth_usd, uncached.worth_usd, cached.worth_usd))
    return Table(
        "Savings after the training cost, US dollars",
        (Column("period"), *(Column(name, number=True) for name in ("uncached", "range", "cached", "range"))),
        tuple(
            Row((name, usd(saved.uncached), _between(without), usd(saved.cached), _between(kept)))
            for name, saved, without, kept in rows
        ),
    )


def _between(found: Range) -> str:
    if found.low is None or found.high is None or found.low == found.high:
        return MISSING
    return f"{usd(found.low)} to {usd(found.high)}"


def _criteria(result: Estimate) -> Table:
    marks = {True: "✓ met", False: "✗ not met", None: "○ not known"}
    return Table(
        "Criteria for distilling",
        (Column("criterion"), Column("status"), Column("reason")),
        tuple(Row((each.name, marks[each.met], each.words)) for each in result.criteria),
    )


def _sensitivity(result: Estimate) -> Iterator[Table]:
    if not result.sensitivity:
        return
    turns = any(each.flips_at is not None for each in result.sensitivity)
    yield Table(
        f"What affects the savings in {written('horizon_months', result.horizon_months)}, prompt cached",
        (
            Column("input"),
            Column("from", number=True),
            Column("to", number=True),
            Column("effect", number=True),
            *([Column("verdict becomes")] if turns else []),
        ),
        tuple(
            Row(
                (
                    label(each.name),
                    written(each.name, each.low),
                    written(each.name, each.high),
                    usd(each.effect_usd),
                    *([_flip(each)] if turns else []),
                ),
                strong=each.flips_at is not None,
            )
            for each in result.sensitivity
        ),
    )


def _flip(each: Influence) -> str:
    if each.flips_at is None or each.flips_to is None:
        return ""
    side = "above" if each.flips_at > each.value else "below"
    return f"{verdict_text(each.flips_to)} {side} {written(each.name, each.flips_at)}"


def _figures(costs: Costs) -> Table:
    """Every figure with its source."""
    return Table(
        "Sources of the figures",
        (Column("figure"), Column("value", number=True), Column("range"), Column("source")),
        tuple(
            Row((label(name), written(name, figure.value), _range_of(name, figure), _origin(figure)))
            for name, figure in costs.figures.items()
        ),
        folded=True,
    )


def _origin(figure: Figure) -> str:
    return f"{figure.origin}: {figure.source}" if figure.source else figure.origin


def _range_of(name: str, figure: Figure) -> str:
    low, high = figure.range
    return f"{written(name, low)} to {written(name, high)}" if low < high else ""

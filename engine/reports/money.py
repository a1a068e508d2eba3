"""What distilling costs and saves, as a section: three options, cost over time, the source of each figure. Pure."""

from collections.abc import Iterator

from engine.economics.document import discount_text, latency_text
from engine.economics.estimate import Estimate, Ranged
from engine.economics.labels import label, span, span_range, written, written_range
from engine.economics.outlook import WAY_WORDS, cumulated, horizon_days, ways
from engine.economics.sensitivity import Influence
from engine.economics.verdict import criteria, headline, reasons, verdict_text
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
    return Section(
        "cost",
        "Cost",
        (
            Words(headline(costs)),
            _ways(costs),
            Charts((_chart(costs),), _over_time(costs)),
            Facts(tuple(_repayment(costs))),
            _savings(costs),
            _criteria(costs),
            *(Words(reason, "quiet") for reason in reasons(costs)),
            *_sensitivity(costs),
            _figures(costs),
        ),
    )


def _ways(result: Estimate) -> Table:
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
            for way in ways(result)
        ),
    )


def _chart(result: Estimate) -> Chart:
    end = horizon_days(result)
    over = cumulated(result, [end * place / _POINTS for place in range(_POINTS + 1)])
    marks = tuple(
        Mark(days.value, f"repaid, {name}: {span(days.value)}", days.low, days.high)
        for name, days in ((name, case.break_even_days) for name, case in result.cases)
        if days.value is not None and 0 < days.value <= end
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


def _over_time(result: Estimate) -> Table:
    over = cumulated(result, _DAYS)
    rows = zip(over.days, over.prompted, over.prompted_cached, over.distilled, strict=True)
    return Table(
        "Cumulative cost, US dollars",
        (Column("day"), *(Column(name, number=True) for name in WAY_WORDS.values())),
        tuple(Row((f"{day:g}", *map(usd, values))) for day, *values in rows),
    )


def _repayment(result: Estimate) -> Iterator[Fact]:
    for name, case in result.cases:
        requests, days = case.break_even_requests.value, case.break_even_days
        between = span_range(days.low, days.high)
        ranged = f"range {between}" if between else ""
        if requests is None:
            best = "" if days.low is None else f"at best after {span(days.low)}"
            yield Fact(f"repaid, prompt {name}", "never", best)
        elif not requests:
            yield Fact(f"repaid, prompt {name}", "at once", ranged)
        else:
            on = result.date_after(days.value)
            notes = (span(days.value), f"on {on.isoformat()}" if on is not None else "", ranged)
            after = f"after {counted(requests, 'request', ',.0f')}"
            yield Fact(f"repaid, prompt {name}", after, ", ".join(filter(None, notes)))
    once = result.one_time_usd
    yield Fact("one-time cost", usd(once.value), f"range {usd(once.low)} to {usd(once.high)}")
    if sooner := latency_text(result):
        yield Fact("time to first token", sooner)


def _savings(result: Estimate) -> Table:
    """The savings after a month, a year and the horizon, net of the training cost."""
    uncached, cached, rate = result.uncached, result.cached, discount_text(result)
    rows = [
        ("after one month", uncached.month_usd, cached.month_usd),
        ("after one year", uncached.year_usd, cached.year_usd),
    ]
    if rate or any(case.worth_usd.value != case.year_usd.value for _, case in result.cases):
        rows.append((f"in {result.horizon}{rate}", uncached.worth_usd, cached.worth_usd))
    return Table(
        "Savings after the training cost, US dollars",
        (Column("period"), *(Column(name, number=True) for name in ("uncached", "range", "cached", "range"))),
        tuple(
            Row((name, usd(without.value), _between(without), usd(kept.value), _between(kept)))
            for name, without, kept in rows
        ),
    )


def _between(found: Ranged[float]) -> str:
    return f"{usd(found.low)} to {usd(found.high)}" if found.low < found.high else MISSING


def _criteria(result: Estimate) -> Table:
    marks = {True: "✓ met", False: "✗ not met", None: "○ not known"}
    return Table(
        "Criteria for distilling",
        (Column("criterion"), Column("status"), Column("reason")),
        tuple(Row((each.name, marks[each.met], each.words)) for each in criteria(result)),
    )


def _sensitivity(result: Estimate) -> Iterator[Table]:
    if not result.sensitivity:
        return
    turns = any(each.flips_at is not None for each in result.sensitivity)
    yield Table(
        f"What affects the savings in {result.horizon}, prompt cached",
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


def _figures(result: Estimate) -> Table:
    """Every figure with its source."""
    return Table(
        "Sources of the figures",
        (Column("figure"), Column("value", number=True), Column("range"), Column("source")),
        tuple(
            Row((label(name), written(name, figure.value), written_range(name, *figure.range), _origin(figure)))
            for name, figure in result.given.figures.items()
        ),
        folded=True,
    )


def _origin(figure: Figure) -> str:
    return f"{figure.origin}: {figure.source}" if figure.source else figure.origin

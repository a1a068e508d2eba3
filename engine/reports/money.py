"""What distilling costs and saves as a section: the three ways, their cost over time, each figure's origin. Pure."""

from engine.economics.figures import Costs
from engine.economics.labels import label, written
from engine.economics.outlook import cumulated, horizon_days, span, ways
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

_POINTS = 120  # of the lines; days in the table
_DAYS = (1, 7, 30, 90, 180, 365)
_NAMES = {"prompted": "with the prompt", "prompted_cached": "prompt cached", "distilled": "distilled"}


def money(facts: ReportFacts) -> Section:
    """Whether it pays, and when."""
    costs = facts.proof.costs
    if costs is None:
        return Section(
            "cost",
            "Cost",
            (
                Words(facts.proof.costs_note),
                Words("The cost pane (8) takes the model that answers today, and remembers it.", "quiet"),
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
            Facts(
                (
                    Fact("repaid, prompt uncached", *_repaid(costs, cached=False)),
                    Fact("repaid, prompt cached", *_repaid(costs, cached=True)),
                    Fact(
                        "trained once",
                        usd(result.one_time_usd),
                        f"{usd(result.one_time_low_usd)} to {usd(result.one_time_high_usd)}",
                    ),
                    Fact("first year, uncached", _saved(result.yearly_savings_usd.uncached)),
                    Fact("first year, cached", _saved(result.yearly_savings_usd.cached)),
                )
            ),
            *(Words(reason, "quiet") for reason in result.reasons),
            _figures(costs),
        ),
    )


def _ways(costs: Costs) -> Table:
    return Table(
        "A request, three ways, in US dollars",
        (
            Column("way"),
            Column("prompt tok", number=True),
            Column("1,000 requests", number=True),
            Column("a day", number=True),
            Column("a year", number=True),
        ),
        tuple(
            Row(
                (
                    _NAMES[way.name],
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
    days = costs.result.break_even_days
    crossings = (("even, uncached", days.uncached), ("even, cached", days.cached))
    marks = tuple(Mark(day, f"{name}: {span(day)}") for name, day in crossings if day is not None and 0 < day <= end)
    return Chart(
        "Cost so far, US dollars",
        "days",
        (
            Series(_NAMES["prompted"], over.days, over.prompted, "second"),
            Series(_NAMES["prompted_cached"], over.days, over.prompted_cached, "third"),
            Series(_NAMES["distilled"], over.days, over.distilled, "main"),
        ),
        unit="usd",
        marks=marks,
    )


def _over_time(costs: Costs) -> Table:
    over = cumulated(costs.given, costs.result, _DAYS)
    rows = zip(over.days, over.prompted, over.prompted_cached, over.distilled, strict=True)
    return Table(
        "Cost so far, US dollars",
        (Column("day"), *(Column(name, number=True) for name in _NAMES.values())),
        tuple(Row((f"{day:g}", *map(usd, values))) for day, *values in rows),
    )


def _repaid(costs: Costs, *, cached: bool) -> tuple[str, str]:
    requests, days = costs.result.break_even_requests, costs.result.break_even_days
    count, after = (requests.cached, days.cached) if cached else (requests.uncached, days.uncached)
    if count is None:
        return "never", ""
    return f"after {count:,.0f} requests", span(after) if after else ""


def _saved(value: float) -> str:
    return f"saves {usd(value)}" if value > 0 else f"loses {usd(-value)}" if value < 0 else MISSING


def _figures(costs: Costs) -> Table:
    """Every figure with its origin."""
    return Table(
        "Where the figures are from",
        (Column("figure"), Column("value", number=True), Column("origin"), Column("source")),
        tuple(
            Row(
                (
                    label(name),
                    written(name, figure.value),
                    figure.origin,
                    figure.source,
                )
            )
            for name, figure in costs.figures.items()
        ),
    )

"""Draw the estimate as lines: verdict, three alternatives, payback, curves, reasons, sources. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from itertools import groupby, zip_longest

from textual.content import Content

from engine.economics.estimate import Estimate
from engine.economics.figures import ONE_TIME_PARTS
from engine.economics.labels import label, span
from engine.economics.outlook import WAY_WORDS, Way, WayName, cumulated, horizon_days, ways
from engine.economics.verdict import criteria, flip_text, headline, reasons
from engine.records.cost import Figure, WorthVerdict
from engine.wording import percent
from tui.keys import key_of
from tui.panes.cost.decision import criteria_lines, decides, saved
from tui.panes.cost.state import FIELDS, MODEL, CostState
from tui.panes.parts import heading
from tui.widgets.chart import Line, plot
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, dollars, fit, justify, right, shorten, wrap
from tui.widgets.next_steps import next_steps

_MARKS: dict[WorthVerdict, tuple[str, str]] = {
    "worth_it": ("✓", GOOD),
    "only_without_cache": ("!", WARN),
    "not_worth_it": ("✗", BAD),
}
_MONEY: tuple[tuple[str, Callable[[Way], float]], ...] = (
    ("a request", lambda way: way.request_usd),
    ("1,000", lambda way: 1_000 * way.request_usd),
    ("a day", lambda way: way.day_usd),
    ("a year", lambda way: way.year_usd),
)
_AXIS, _LABEL = 12, 16  # cells left and right of the chart


def title(state: CostState, width: int, *, typing: bool) -> list[Content]:
    """Draw the first lines, above the fields: what this is and its one number."""
    keys = Content.assemble((key_of("cost.edit"), ACCENT), (" edits the figures", DIM)) if not typing else Content("")
    costs = state.page.costs if state.page is not None else None
    figure = ""
    if costs is not None:
        saved = costs.cached.year_usd.value
        figure = f"{'saves' if saved > 0 else 'loses'} {dollars(abs(saved))} in the first year"
    left = Content.assemble(("Cost", STRONG), "   ", (figure, ACCENT))
    return [justify(left, keys, width), Content("")]


def models(state: CostState, width: int) -> list[Content]:
    """Draw the models that match the name being typed."""
    if not state.choosing:
        return []
    if not state.models:
        text = state.texts.get(MODEL, "").strip()
        return [Content.styled("No listed model matches this name. Enter its prices below.", DIM)] if text else []
    name_width = max(min(44, width - 44), 16)
    lines = []
    for index, model in enumerate(state.models):
        here = index == state.chosen
        prices = model.prices
        figures = f"{prices.input_usd_per_mtok:>9,g}{prices.cached_input_usd_per_mtok:>9,g}"
        lines.append(
            Content.assemble(
                ("▌ " if here else "  ", ACCENT),
                (fit(model.name, name_width), STRONG if here else ""),
                (fit(model.provider, 12), DIM),
                f"{figures}{prices.output_usd_per_mtok:>9,g}",
            )
        )
    keys = f"{key_of('figures.next')} accepts it, {key_of('figures.figure_up', 'figures.figure_down')} choose"
    head = f"  {fit(keys, name_width + 12)}{'input':>9}{'cached':>9}{'$/M out':>9}"
    return [heading(head), *lines]


def draw(state: CostState, width: int, height: int) -> list[Content]:
    """Draw all lines under the fields."""
    page = state.page
    if page is None:
        return [Content.styled("Calculating …", DIM)]
    if errors := state.errors:
        return [Content.styled(f"✗ {error}", BAD) for error in errors]
    if not page.has_prompt:
        return [
            Content("There is no prompt yet, so there is nothing to save."),
            Content(""),
            *next_steps(("workspace.prompt", "go to the prompt pane to write one", "distill-tui prompt set FILE")),
        ]
    if page.costs is None:
        failure = (page.error.title, page.error.message, page.error.next) if page.error is not None else ()
        return [
            *(Content(line) for part in failure for line in wrap(part, width)),
            Content(""),
            *next_steps(("cost.edit", "name a model", "distill-tui estimate --model gpt-5")),
        ]
    costs = page.costs
    rows = 8 if height >= 26 else 5
    return [
        *_verdict(costs, width),
        Content(""),
        *_three_ways(costs, width),
        Content(""),
        *_repaid(costs, width),
        Content(""),
        *saved(costs, width),
        Content(""),
        *decides(costs, width),
        Content(""),
        *_curves(costs, width, rows),
        Content(""),
        *criteria_lines(costs, width),
        Content(""),
        *_reasons(costs, width),
        Content(""),
        *_sources(costs, width),
    ]


def _verdict(result: Estimate, width: int) -> list[Content]:
    mark, style = _MARKS[result.verdict]
    first, *rest = wrap(headline(result), width - 2)
    return [
        Content.assemble((f"{mark} ", style), (first, STRONG)),
        *(Content.styled(f"  {line}", STRONG) for line in rest),
    ]


def _three_ways(result: Estimate, width: int) -> list[Content]:
    name_width, tokens_width = (16, 8) if width >= 85 else (15, 7)
    money_width = min(max((width - name_width - 3 * tokens_width) // 4, 10), 12)
    head = "".join(right(name, tokens_width) for name in ("prompt", "asked", "answer"))
    columns = _MONEY if name_width + 3 * tokens_width + 4 * money_width <= width else (_MONEY[0], _MONEY[-1])
    head += "".join(right(name, money_width) for name, _ in columns)
    each, about = ways(result), "" if result.given.prompt_tokens.exact else "≈ "
    lines = [heading(fit("tokens, money", name_width) + head)]
    for way in each:
        prompt = f"{about}{way.prompt_tokens:,}" if way.prompt_tokens else "–"
        tokens = (prompt, f"{way.question_tokens:,.0f}", f"{way.answer_tokens:,.0f}")
        amounts = [dollars(amount(way), max(map(amount, each))) for _, amount in columns]
        ours = way.name == "distilled"
        lines.append(
            Content.assemble(
                (fit(WAY_WORDS[way.name], name_width), STRONG if ours else ""),
                ("".join(right(text, tokens_width) for text in tokens), DIM),
                ("".join(right(amount, money_width) for amount in amounts), ACCENT if ours else ""),
            )
        )
    return lines


def _repaid(result: Estimate, width: int) -> list[Content]:
    """Draw when the training is repaid, without and with the provider's cache: expected, at best, at worst."""
    terms = result.given.terms
    hits = f"cached, {percent(terms.cache_hit_rate)} hits"
    wide = width >= 85
    name_width = 25 if wide else 19
    columns = ("requests", "days", "at best", "at worst", "on") if wide else ("days", "at best", "at worst", "on")
    cell = (width - name_width) // len(columns)
    lines = [heading(fit("repaid after", name_width) + "".join(right(name, cell) for name in columns))]
    for name, case in (("not cached", result.uncached), (hits, result.cached)):
        requests, days = case.break_even_requests.value, case.break_even_days
        known, on = terms.requests_per_day > 0, result.date_after(days.value)
        figures = [
            "never" if requests is None else _wait(days.value, known),
            _wait(days.low, known),
            _wait(days.high, known),
            "–" if on is None else on.isoformat(),
        ]
        if wide:
            figures.insert(0, "never" if requests is None else _count(requests))
        words = Content.assemble(
            fit(name, name_width),
            "".join(right(figure, cell) for figure in figures[:-3]),
            ("".join(right(figure, cell) for figure in figures[-3:-1]), DIM),
            right(figures[-1], cell),
        )
        lines.append(words)
    once, low, high = map(dollars, astuple(result.one_time_usd))
    return [*lines, Content.styled(shorten(f"one-time cost {once}, between {low} and {high}", width), DIM)]


def _wait(days: float | None, known: bool) -> str:
    return "–" if not known else "never" if days is None else _count(days, 1)


def _count(value: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f}" if value < 1e9 else f"{value:.1e}"


def _curves(result: Estimate, width: int, rows: int) -> list[Content]:
    """Draw what each alternative has cost after so many days; later lines cover earlier ones."""
    terms = result.given.terms
    if terms.requests_per_day == 0:
        return [heading("no requests per day: no cost over time")]
    days = horizon_days(result)
    columns = max(width - _AXIS - _LABEL, 10)
    # Without retraining every line is straight.
    steps = 2 * columns if terms.retrainings_per_year else 1
    found = cumulated(result, [days * step / steps for step in range(steps + 1)])
    layers: tuple[tuple[WayName, tuple[float, ...], str], ...]
    layers = (("distilled", found.distilled, ACCENT), ("prompted_cached", found.prompted_cached, DIM),
              ("prompted", found.prompted, ""))  # fmt: skip
    top = max(max(values) for _, values, _ in layers) or 1.0
    drawn = plot(
        [Line(found.days, values, *((2, 2) if name == "prompted_cached" else (1, 0))) for name, values, _ in layers],
        columns=columns, rows=rows, x_range=(0.0, days), y_range=(0.0, top),
    )  # fmt: skip
    labels = _labels([(WAY_WORDS[name], values[-1] / top, style) for name, values, style in layers], rows)
    lines = [heading("total cost over time, training included")]
    for row, cells in enumerate(drawn):
        axis = dollars(top) if row == 0 else "$0" if row == rows - 1 else ""
        runs = (
            ("".join(cell.text for cell in run), layers[owner][2] if owner >= 0 else "")
            for owner, run in groupby(cells, lambda cell: cell.owner)
        )
        label, style = labels[row]
        lines.append(Content.assemble((f"{right(axis, _AXIS - 2)} ┤", DIM), *runs, (f" {label}", style)))
    below = justify(Content.styled("today", DIM), Content.styled(span(days) or "", DIM), columns)
    return [*lines, Content.assemble(" " * _AXIS, below), *_crossings(result, days, columns)]


def _labels(ends: Sequence[tuple[str, float, str]], rows: int) -> list[tuple[str, str]]:
    """Place each line's name beside its end, moved if two would share a row."""
    labels: list[tuple[str, str]] = [("", "")] * rows
    for name, share, style in sorted(ends, key=lambda end: -end[1]):
        wanted = min(round((1 - share) * (rows - 1)), rows - 1)
        free = sorted((abs(row - wanted), row) for row in range(rows) if not labels[row][0])
        labels[free[0][1]] = (name, style)
    return labels


def _crossings(result: Estimate, days: float, columns: int) -> list[Content]:
    lines: list[Content] = []
    uncached, cached = (case.break_even_days.value for _, case in result.cases)
    for name, crossing in (("no cache", uncached), ("cached", cached)):
        if crossing is None or not 0 < crossing <= days or (name == "cached" and lines and cached == uncached):
            continue
        words = f"repaid: {span(crossing)}, {name}"
        at = min(round(crossing / days * (columns - 1)), columns - 1)
        text = f"{' ' * at}▲ {words}" if at + len(words) + 2 <= columns + _LABEL else f"{right(words, at - 1)} ▲"
        lines.append(Content.assemble(" " * _AXIS, (text, ACCENT)))
    return lines


def _reasons(result: Estimate, width: int) -> list[Content]:
    """Draw the reasons that are not already shown above."""
    stated = {each.words for each in criteria(result)} | {flip_text(each) for each in result.sensitivity}
    lines = [heading("why")]
    for reason in reasons(result):
        if reason not in stated:
            first, *rest = wrap(reason, width - 2)
            lines += [Content(f"· {first}"), *(Content(f"  {line}") for line in rest)]
    return lines


def _sources(result: Estimate, width: int) -> list[Content]:
    """Draw the sources, each with the figures it provides."""
    count = result.given.prompt_tokens
    by_source = {f"{'counted' if count.exact else '≈ estimated'}: {count.tokenizer}": ["prompt tokens"]}
    whole = result.given.figures["one_time_usd"].origin == "given"
    for name in (*FIELDS, "prefill_tokens_per_s"):
        figure = result.given.figures.get(name)
        if figure is not None and not (whole and name in ONE_TIME_PARTS):
            by_source.setdefault(_source(figure), []).append(label(name))
    lines, left_width = [heading("where the figures come from")], max(width // 2, 20)
    for source, names in by_source.items():
        words, beside = wrap(", ".join(names), left_width - 2), wrap(source, max(width - left_width, 12))
        lines += [
            Content.assemble(fit(left, left_width), (right_hand, DIM))
            for left, right_hand in zip_longest(words, beside, fillvalue="")
        ]
    return lines


def _source(figure: Figure) -> str:
    if figure.origin == "given":
        return f"you: {figure.source}" if figure.source else "you"
    return f"{'listed price' if figure.origin == 'listed' else figure.origin}: {figure.source}"

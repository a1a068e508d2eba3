"""Draw the savings, the inputs that matter most, and the criteria of the verdict, as lines. Pure."""

from textual.content import Content

from engine.economics.document import effects, latency_text
from engine.economics.estimate import Estimate
from engine.economics.formulas import MONTHS_PER_YEAR
from engine.economics.labels import label, written
from engine.economics.verdict import criteria, flip_text
from tui.panes.parts import heading
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, WARN, dollars, fit, right, shorten, wrap

_MET = {True: ("✓", GOOD), False: ("✗", BAD), None: ("○", DIM)}
_DECIDING = 6  # inputs shown


def saved(result: Estimate, width: int) -> list[Content]:
    """Draw the savings over time, net of training, with the provider's cache; and the time to the first token."""
    name_width, columns = (25 if width >= 85 else 19), ("expected", "at worst", "at best")
    cell = (width - name_width) // len(columns)
    lines = [heading(fit("saved, cached", name_width) + "".join(right(name, cell) for name in columns))]
    rows = [
        ("after a month", result.cached.month_usd),
        ("after a year", result.cached.year_usd),
    ]
    months, discount = result.given.terms.horizon_months, result.given.terms.discount_rate
    if months != MONTHS_PER_YEAR or discount:
        rate = f" at {written('discount_rate', discount)}" if discount else ""
        rows.append((f"{months:g} months{rate}", result.cached.worth_usd))
    for name, found in rows:
        value, *bounds = (right(_signed(amount), cell) for amount in (found.value, found.low, found.high))
        lines.append(Content.assemble(fit(name, name_width), value, ("".join(bounds), DIM)))
    if words := latency_text(result):
        lines.append(Content.assemble(fit("first token", name_width), shorten(words, width - name_width)))
    return lines


def decides(result: Estimate, width: int) -> list[Content]:
    """Draw how far each input moves the savings over its range, and where it changes the verdict."""
    rows = effects(result)[:_DECIDING]
    if not rows:
        return []
    name_width, range_width, cell = 23, 26 if width >= 85 else 19, 12
    room = max(width - name_width - range_width - cell, 4)
    head = fit("what matters most", name_width) + fit("range", range_width) + " " * room + right("changes by", cell)
    lines = [heading(head)]
    for each, share in rows:
        bounds = f"{written(each.name, each.low)} – {written(each.name, each.high)}"
        lines.append(
            Content.assemble(
                fit(label(each.name), name_width),
                (fit(bounds, range_width), DIM),
                (fit("━" * max(round(share * (room - 2)), 1), room), ACCENT),
                right(dollars(each.effect_usd), cell),
            )
        )
    flips = [words for each, _ in effects(result) if (words := flip_text(each))]
    for flip in flips[:_DECIDING]:
        first, *rest = wrap(flip, width - 2)
        lines += [Content.assemble(("! ", WARN), first), *(Content(f"  {line}") for line in rest)]
    if not flips:
        lines.append(Content.styled("None of them changes the verdict on its own.", DIM))
    return lines


def criteria_lines(result: Estimate, width: int) -> list[Content]:
    """Draw the criteria of the verdict, met or not."""
    lines = [heading("what the verdict rests on")]
    for each in criteria(result):
        mark, style = _MET[each.met]
        first, *rest = wrap(each.words, width - 2)
        lines += [Content.assemble((f"{mark} ", style), first), *(Content(f"  {line}") for line in rest)]
    return lines


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else ''}{dollars(abs(value))}"

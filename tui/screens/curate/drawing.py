"""The review as lines: the list around the cursor, the answer with the words that break a rule marked, the rules."""

from textual.content import Content

from engine.clean import clean_text
from engine.records.example import ExampleState
from tui.screens.curate.state import ReviewState
from tui.services.review import ReviewPage, ReviewRow
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, fit, shorten, spread, wrap

_MARKS: dict[ExampleState, tuple[str, str]] = {"accepted": ("✓", GOOD), "rejected": ("✗", BAD), "undecided": ("○", "")}
_LISTED: dict[ExampleState | None, str] = {
    None: "all",
    "undecided": "undecided only",
    "accepted": "accepted only",
    "rejected": "rejected only",
}


def draw(state: ReviewState, width: int, height: int) -> list[Content]:
    """All lines, at most `height`: title, list, answer, rules."""
    page = state.page
    if page is None:
        return [Content.styled("Reading the examples …", DIM)]
    counts = page.counts
    pace = f"{state.a_minute:.0f} a minute   " if state.a_minute is not None else ""
    search = f"   «{shorten(state.where.search, 20)}»" if state.where.search else ""
    lines = [
        spread(
            Content.assemble(
                ("Curate", STRONG),
                "   ",
                (f"{counts.accepted:,} ✓", GOOD),
                "  ",
                (f"{counts.rejected:,} ✗", BAD),
                "  ",
                (f"{counts.undecided:,} ○", ""),
            ),
            Content.styled(f"{pace}{_LISTED[state.where.state]}{search}", DIM),
            width,
        ),
        Content(""),
    ]
    if page.total == 0:
        return [*lines, *_nothing(state)]
    listed = max(3, min(page.total, (height - 4) * 2 // 5))
    lines += _list(page, state.where.cursor, width, listed)
    lines.append(Content.styled("─" * width, DIM))
    row = state.row
    if row is not None:
        lines += _answer(row, width, height - len(lines), {rule.id: rule.text for rule in page.rules})
    return lines[:height]


def _nothing(state: ReviewState) -> list[Content]:
    if state.where.search or state.where.state is not None:
        return [Content("Nothing in this list."), Content(""), Content.styled("t lists others, / looks for words", DIM)]
    return [Content("The teacher has not answered yet."), Content(""), Content.styled("  distill-tui generate", ACCENT)]


def _list(page: ReviewPage, cursor: int, width: int, count: int) -> list[Content]:
    first = max(0, min(cursor - count // 2, page.total - count))
    lines: list[Content] = []
    for position in range(first, min(first + count, page.total)):
        index = position - page.offset
        if not 0 <= index < len(page.rows):
            lines.append(Content.styled("  …", DIM))
            continue
        lines.append(_listed(page.rows[index], width, here=position == cursor))
    return lines


def _listed(row: ReviewRow, width: int, *, here: bool) -> Content:
    mark, style = _MARKS[row.state]
    broken = [check.rule_id for check in row.checks if not check.passed]
    tail = f"rule {', '.join(map(str, broken))} ✗" if broken else "edited" if row.answer != row.generated else ""
    topic = fit(row.topic, 12)
    room = width - 4 - 14 - len(tail) - 2
    return Content.assemble(
        ("▌ " if here else "  ", ACCENT),
        (mark, style),
        " ",
        (topic, DIM),
        "  ",
        (fit(row.question, room), STRONG if here else ""),
        "  ",
        (tail, BAD if broken else DIM),
    )


def _answer(row: ReviewRow, width: int, height: int, rules: dict[int, str]) -> list[Content]:
    """The question, the answer, and what each rule finds; the rules always have their place."""
    decided = ("by you" if row.by_person else "by the rules") if row.state != "undecided" else ""
    why = f"{row.state} {decided}{': ' + row.reason if row.reason else ''}" if decided else "undecided"
    head = [Content.styled(line, STRONG) for line in wrap(row.question, width)[:2]]
    findings = [
        Content.assemble(
            ("✓ " if check.passed else "✗ ", GOOD if check.passed else BAD),
            shorten(
                f"{check.rule_id} {rules.get(check.rule_id, '')}{': ' + check.note if check.note else ''}",
                width - 2,
            ),
        )
        for check in sorted(row.checks, key=lambda check: (check.passed, check.rule_id))
    ]
    room = height - len(head) - 4
    shown = findings[: max(2, min(len(findings), room - 3))]
    body = _marked(row).wrap(width)
    room = max(room - len(shown), 2)
    if len(body) > room:
        body = [*body[: room - 1], Content.styled(f"… {len(body) - room + 1} more lines; e shows all", DIM)]
    lines = [*head, Content(""), *body, Content(""), *shown]
    if len(shown) < len(findings):
        lines.append(Content.styled(f"  and {len(findings) - len(shown)} more, kept", DIM))
    return [*lines, Content.styled(shorten(why, width), DIM)]


def _marked(row: ReviewRow) -> Content:
    """The answer, with the words that break a rule marked where cleaning moved none of them."""
    clean = clean_text(row.answer)
    content = Content(clean)
    if clean == row.answer:
        for check in row.checks:
            for span in check.failing:
                content = content.stylize(f"{BAD} underline", span.start, span.end)
    return content

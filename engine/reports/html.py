"""A report as one self-contained HTML page: no script, no request, light or dark like the reader's system. Pure.

The page's Content-Security-Policy allows nothing but its own style sheet, named by its hash.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from importlib import resources
from xml.etree.ElementTree import Element

from engine.reports.document import (
    Answer,
    Block,
    Chart,
    Charts,
    Column,
    Document,
    Facts,
    Intervals,
    QuestionAnswers,
    Section,
    Table,
    Tone,
    Words,
)
from engine.reports.markup import Child, element, fill, write
from engine.reports.numbers import MISSING, bounds, figure
from engine.reports.svg import interval_row, key, line_chart
from engine.reports.text import MARKS

_FEW_ARMS = 4  # up to this many arms, figures fit next to their intervals; with more, they are above them
_UNIT = re.compile(r"(?<=\d) %")  # must stay on one line with its number


def to_html(document: Document) -> str:
    """The whole page."""
    style = resources.files("engine.reports").joinpath("report.css").read_text(encoding="utf-8")
    first, *others = map(_section, document.sections)  # the answer comes first, then the table of contents
    main = element("main", _header(document), first, _contents(document), *others, _footer(document))
    body = element("body", main)
    return write(element("html", _head(document, style), body, lang="en"))


def _head(document: Document, style: str) -> Element:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    sheet = element("style")
    sheet.text = style  # our own file: inserted unchanged, so that its hash matches
    policy_tag = Element("meta", {"http-equiv": "Content-Security-Policy", "content": policy})
    return element(
        "head",
        element("meta", charset="utf-8"),
        policy_tag,
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="robots", content="noindex"),
        # Without this, a browser would request an icon from the server.
        element("link", rel="icon", href="data:,"),
        element("title", f"{document.title} \u2013 {document.verdict}"),
        sheet,
    )


def _header(document: Document) -> Element:
    return element(
        "header",
        element("h1", document.title, dir="auto"),
        element(
            "p",
            element("span", _mark(document.tone), document.verdict, class_=f"verdict {document.tone}"),
            " ",
            document.subtitle,
            class_="subtitle",
        ),
    )


def _contents(document: Document) -> Element:
    links = [element("a", section.title, href=f"#{section.id}") for section in document.sections]
    return element("nav", *links, aria_label="Sections")


def _mark(tone: Tone) -> Element:
    return element("span", MARKS.get(tone, ""), aria_hidden="true", class_="sign")


def _footer(document: Document) -> Element | None:
    return element("footer", element("p", document.colophon)) if document.colophon else None


def _section(section: Section) -> Element:
    made = element("section", element("h2", section.title, id=f"{section.id}-title"), id=section.id)
    made.set("aria-labelledby", f"{section.id}-title")
    for block in section.blocks:
        fill(made, _block(block))
    return made


def _block(block: Block) -> Iterator[Element]:
    match block:
        case Words():
            yield element("p", _UNIT.sub("\u00a0%", block.text), class_=block.tone)
        case Facts():
            yield _facts(block)
        case Table():
            yield _folded(block, block.caption) if block.folded else _table(block)
        case Intervals():
            yield _intervals(block)
        case Charts():
            yield element("div", *map(_chart, block.charts), class_="charts" if len(block.charts) > 1 else "charts one")
            yield _folded(block.table, f"Figures: {block.table.caption}")
        case QuestionAnswers():
            yield _exchange(block)


def _facts(facts: Facts) -> Element:
    made = element("dl", class_="large" if facts.large else "facts")
    for fact in facts.rows:
        note = element("span", fact.note, class_="note") if fact.note else None
        value = element("dd", element("span", fact.value, class_="value"), _between(facts, note), note)
        made.append(element("div", element("dt", fact.name), value))
    return made


def _between(facts: Facts, note: Element | None) -> str | None:
    return None if note is None else " " if facts.large else ", "


def _table(table: Table) -> Element:
    """A table whose first column contains the row headers."""
    if not table.rows:
        return element("p", table.caption, class_="quiet")
    body = element("tbody")
    for row in table.rows:
        cells = list(zip(table.columns, row.cells, strict=True))
        first, *others = cells
        line = element("tr", _cell("th", *first, scope="row"), class_="strong" if row.strong else None)
        fill(line, (_cell("td", column, text) for column, text in others))
        body.append(line)
    head = element("thead", element("tr", *(_cell("th", column, column.name, scope="col") for column in table.columns)))
    caption = element("caption", table.caption)
    return _wide(element("table", caption, head, body, class_="code" if table.code else None), table.caption)


def _folded(table: Table, summary: str) -> Element:
    return element("details", element("summary", summary), _table(table))


def _cell(tag: str, column: Column, text: str, *, scope: str | None = None) -> Element:
    return element(
        tag, text, scope=scope, class_="number" if column.number else None, dir=None if column.number else "auto"
    )


def _wide(table: Element, caption: str) -> Element:
    """A table may be wider than a small screen: then only the table scrolls, with the keyboard too."""
    return element("div", table, class_="wide", tabindex="0", role="group", aria_label=caption)


def _intervals(block: Intervals) -> Element:
    head = element("tr", element("th", block.name, scope="col"))
    axis = (element("span", f"{level}", class_=f"at{level}") for level in (0, 50, 100))
    head.append(element("th", *axis, scope="col", class_="plot axis", aria_label="chart, 0 to 100 %"))
    fill(head, (element("th", key(name, role, line=False), scope="col", class_="number") for name, role in block.arms))
    if block.aside:
        head.append(element("th", block.aside, scope="col", class_="number"))
    body = element("tbody")
    for row in block.rows:
        line = element("tr", element("th", row.name, scope="row", dir="auto"), class_="strong" if row.strong else None)
        line.append(element("td", interval_row(block.arms, row.measured), class_="plot"))
        for found in row.measured:
            parts: list[Child] = [MISSING]
            if found is not None:
                parts = [figure(found), " ", element("span", bounds(found.low, found.high), class_="bounds")]
            line.append(element("td", *parts, class_="number", title=found.note if found is not None else None))
        if block.aside:
            line.append(element("td", row.aside, class_="number"))
        body.append(line)
    kind = "arms" if len(block.arms) <= _FEW_ARMS else "arms many"
    table = element("table", element("caption", block.caption), element("thead", head), body, class_=kind)
    return _wide(table, block.caption)


def _chart(chart: Chart) -> Element:
    keys = [key(series.name, series.role, line=True) for series in chart.series]
    caption = element("figcaption", element("span", chart.title, class_="name"))
    if len(keys) > 1:
        caption.append(element("span", *keys, class_="keys"))
    return element("figure", caption, line_chart(chart))


def _exchange(exchange: QuestionAnswers) -> Element:
    made = element("article", element("h3", exchange.question, dir="auto"), class_="exchange")
    if exchange.note:
        made.append(element("p", exchange.note, class_="quiet"))
    made.append(
        element("div", *map(_answer, exchange.answers), class_="answers beside" if exchange.beside else "answers")
    )
    return made


def _answer(answer: Answer) -> Element:
    made = element("div", class_=f"answer {answer.role}")
    title = element("h4", answer.name)
    if answer.kept is not None:
        kept = element("span", "✓" if answer.kept else "✗", class_="good" if answer.kept else "bad", role="img")
        kept.set("aria-label", "passes every rule" if answer.kept else "fails a rule")
        fill(title, (" ", kept))
    fill(made, (title, element("div", *_marked(answer), class_="said", dir="auto")))
    if answer.notes:
        made.append(element("ul", *(element("li", note) for note in answer.notes)))
    return made


def _marked(answer: Answer) -> Iterator[Child]:
    """The answer with the characters that break a rule marked: positions refer to the text before cleaning."""
    place = 0
    for span in sorted(answer.marked, key=lambda span: (span.start, span.end)):
        start, end = max(span.start, place), min(span.end, len(answer.text))
        if start < end:
            yield answer.text[place:start]
            yield element("mark", answer.text[start:end])
            place = end
    yield answer.text[place:]

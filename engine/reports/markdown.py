"""A report as Markdown (CommonMark with GitHub's tables). Pure.

Foreign text stays text: in sentences and cells, every character with a meaning in Markdown is escaped, and answers are
in fences longer than any fence within them.
"""

import re
from collections.abc import Iterator

from engine.clean import clean_line, clean_text
from engine.reports.document import Block, Charts, Document, Facts, Intervals, QuestionAnswers, Section, Table, Words
from engine.reports.text import MARKS, as_table

# What has a meaning anywhere in a line, including addresses that GitHub would link, and what can start a block.
_ACTIVE = re.compile(r"[\\`*_\[\]|~$@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_BEGINS = re.compile(r"^([-+=#>]|\d+(?=[.)](?:\s|$)))")
_ENTITIES = {"&": "&amp;", "<": "&lt;"}
_FENCE = re.compile("`+")
_SHORTEST_FENCE = 3


def to_markdown(document: Document) -> str:
    """The whole document, ending in a newline."""
    verdict = f"{MARKS.get(document.tone, '')} {document.verdict}".strip()
    parts = [f"# {plain(document.title)}", f"{plain(document.subtitle)}. Verdict: **{plain(verdict)}**"]
    for section in document.sections:
        parts += _section(section)
    if document.colophon:
        parts.append(f"*{plain(document.colophon)}*")
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Foreign text on one line, escaped so that Markdown shows every character unchanged."""
    escaped = _ACTIVE.sub(r"\\\g<0>", clean_line(text).strip())
    escaped = "".join(_ENTITIES.get(each, each) for each in escaped)
    begins = _BEGINS.match(escaped)
    if begins is None:
        return escaped
    end = begins.end()
    return f"{escaped[:end]}\\{escaped[end:]}" if begins.group().isdigit() else f"\\{escaped}"


def _section(section: Section) -> Iterator[str]:
    yield f"## {plain(section.title)}"
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Words():
            yield plain(block.text)
        case Facts():
            yield "\n".join(_facts(block))
        case Table():
            yield from _table(block)
        case Intervals():
            yield from _table(as_table(block))
        case Charts():
            yield from _table(block.table)
        case QuestionAnswers():
            yield from _exchange(block)


def _facts(facts: Facts) -> Iterator[str]:
    for fact in facts.rows:
        note = f" ({plain(fact.note)})" if fact.note else ""
        if facts.large:
            yield f"- **{plain(fact.value)}** {plain(fact.name)}{note}"
        else:
            colon = "" if fact.name.endswith("?") else ":"
            yield f"- {plain(fact.name)}{colon} {plain(fact.value)}{note}"


def _table(table: Table) -> Iterator[str]:
    yield f"**{plain(table.caption)}**"
    if not table.rows:
        return
    lines = [
        _row([plain(column.name) for column in table.columns]),
        _row(["---:" if column.number else "---" for column in table.columns]),
    ]
    for row in table.rows:
        cells = [plain(cell) for cell in row.cells]
        lines.append(_row([f"**{cell}**" if cell and row.strong else cell for cell in cells]))
    yield "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _exchange(exchange: QuestionAnswers) -> Iterator[str]:
    yield f"**{plain(exchange.question)}**"
    if exchange.note:
        yield plain(exchange.note)
    for answer in exchange.answers:
        kept = "" if answer.kept is None else " ✓" if answer.kept else " ✗"
        yield f"{plain(answer.name)}{kept}"
        yield fenced(answer.text)
        if answer.notes:
            yield "\n".join(f"- {plain(note)}" for note in answer.notes)


def fenced(text: str) -> str:
    """Foreign text as a code block that nothing within it can close."""
    clean = clean_text(text)
    longest = max((len(found) for found in _FENCE.findall(clean)), default=0)
    fence = "`" * max(_SHORTEST_FENCE, longest + 1)
    return f"{fence}text\n{clean}\n{fence}"

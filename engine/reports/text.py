"""A report as plain text for a terminal or a pager: no line is wider than requested. Pure.

Foreign text is cleaned here; widths are counted in terminal cells.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from engine.clean import cell_width, clean_line, clean_text
from engine.reports.document import (
    Block,
    Charts,
    Column,
    Document,
    Facts,
    Intervals,
    QuestionAnswers,
    Row,
    Section,
    Table,
    Tone,
    Words,
)
from engine.reports.numbers import MISSING, measured

_GAP = 2
_NARROWEST = 16  # minimum cells of a text column, as long as there is room
_NAME = 26  # cells of a fact's name
MARKS: dict[Tone, str] = {"good": "✓", "bad": "✗", "open": "○"}


def to_text(document: Document, width: int = 80) -> str:
    """The document in lines of at most `width` cells; `width` must be at least 40."""
    verdict = f"{MARKS.get(document.tone, '')} {document.verdict}".strip()
    head = f"{document.title}   {verdict}"
    lines = [*wrap(head, width), *wrap(document.subtitle, width)]
    for section in document.sections:
        lines += ["", *_section(section, width)]
    if document.colophon:
        lines += ["", *wrap(document.colophon, width)]
    return "\n".join(line.rstrip() for line in lines)


def _section(section: Section, width: int) -> Iterator[str]:
    title = clean_line(section.title, width - 4)
    yield f"── {title} {'─' * (width - cell_width(title) - 4)}"
    for place, block in enumerate(section.blocks):
        if place:
            yield ""
        yield from _block(block, width)


def _block(block: Block, width: int) -> Iterator[str]:
    match block:
        case Words():
            yield from wrap(block.text, width)
        case Facts():
            yield from _facts(block, width)
        case Table():
            yield from _table(block, width)
        case Intervals():
            yield from _table(as_table(block), width)
        case Charts():
            yield from _table(block.table, width)
        case QuestionAnswers():
            yield from _exchange(block, width)


def as_table(block: Intervals) -> Table:
    """The intervals as figures, for output that cannot show drawings."""
    aside = (Column(block.aside, number=True),) if block.aside else ()
    return Table(
        block.caption,
        (Column(block.name), *(Column(name, number=True) for name, _ in block.arms), *aside),
        tuple(
            Row(
                (
                    row.name,
                    *(MISSING if found is None else measured(found) for found in row.measured),
                    *((row.aside,) if block.aside else ()),
                ),
                row.strong,
            )
            for row in block.rows
        ),
    )


def _facts(facts: Facts, width: int) -> Iterator[str]:
    values = [clean_line(fact.value) for fact in facts.rows]
    room = max(map(cell_width, values), default=0)
    if facts.large and room < width // 3:
        for fact, value in zip(facts.rows, values, strict=True):
            words = f"{fact.name}{f' ({fact.note})' if fact.note else ''}"
            yield from _hanging(f"{' ' * (room - cell_width(value))}{value}  ", words, width)
        return
    room = min(max((cell_width(clean_line(fact.name)) for fact in facts.rows), default=0) + _GAP, _NAME)
    for fact in facts.rows:
        name = clean_line(fact.name, room - 1)
        text = f"{fact.value}, {fact.note}" if fact.note else fact.value
        yield from _hanging(name + " " * (room - cell_width(name)), text, width)


def _hanging(head: str, text: str, width: int) -> Iterator[str]:
    """`head`, then the text; further lines are indented to where the text starts."""
    indent = cell_width(head)
    for place, line in enumerate(wrap(text, width - indent) or [""]):
        yield (head if place == 0 else " " * indent) + line


def _table(table: Table, width: int) -> Iterator[str]:
    yield clean_line(table.caption, width)
    cells = [[clean_line(cell) for cell in row.cells] for row in table.rows]
    head = [clean_line(column.name) for column in table.columns]
    if not cells:
        return
    widths = _widths(table.columns, [head, *cells], width)
    if widths is None:
        yield from _stacked(head, cells, width)
        return
    yield from _lines(head, table.columns, widths)
    rule = "─" * (sum(widths) + _GAP * (len(widths) - 1))
    yield rule
    for place, (row, texts) in enumerate(zip(table.rows, cells, strict=True)):
        if row.strong and place == len(cells) - 1 and place:
            yield rule
        yield from _lines(texts, table.columns, widths)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Cells for each column: numbers get what they need, text shares the rest. None if that is too little."""
    needed = [max(cell_width(row[place]) for row in rows) for place in range(len(columns))]
    left = width - _GAP * (len(columns) - 1)
    words = sorted(
        (place for place, column in enumerate(columns) if not column.number), key=lambda place: needed[place]
    )
    left -= sum(needed[place] for place, column in enumerate(columns) if column.number)
    for done, place in enumerate(words):  # the shortest first: what it does not need goes to the longer ones
        room = left // (len(words) - done)
        if room < min(needed[place], _NARROWEST):
            return None
        needed[place] = min(needed[place], room)
        left -= needed[place]
    return needed if left >= 0 else None


def _lines(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> Iterator[str]:
    """One row; text that does not fit continues on the next line."""
    wrapped = [wrap(cell, room) or [""] for cell, room in zip(cells, widths, strict=True)]
    if len(wrapped[0]) > 1 and widths[0] > _NARROWEST:  # the row's name is indented on its further lines
        first, *rest = wrap(cells[0], widths[0] - _GAP)
        wrapped[0] = [first, *(" " * _GAP + line for line in rest)]
    for parts in zip_longest(*wrapped, fillvalue=""):
        yield (" " * _GAP).join(
            " " * (room - cell_width(part)) + part if column.number else part + " " * (room - cell_width(part))
            for part, column, room in zip(parts, columns, widths, strict=True)
        )


def _stacked(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """A table that is too wide for the page: each row as its first cell, with the other cells below it."""
    for row in rows:
        yield from wrap(row[0], width)
        for name, cell in zip(head[1:], row[1:], strict=True):
            yield from _hanging(f"  {clean_line(name, _NAME)}: ", cell, width)


def _exchange(exchange: QuestionAnswers, width: int) -> Iterator[str]:
    yield from _hanging("> ", exchange.question, width)
    if exchange.note:
        yield from _hanging("  ", exchange.note, width)
    for answer in exchange.answers:
        kept = "" if answer.kept is None else " ✓" if answer.kept else " ✗"
        yield f"  {clean_line(answer.name, width - 4)}{kept}"
        for paragraph in clean_text(answer.text).split("\n"):
            yield from _hanging("    ", paragraph, width)
        for note in answer.notes:
            yield from _hanging("    ✗ ", note, width)


def wrap(text: str, width: int) -> list[str]:
    """Foreign text as one paragraph in lines of at most `width` cells; longer words are broken.

    No-break spaces do not break; empty for a text without words.
    """
    lines: list[str] = []
    line, used = "", 0
    for word in clean_line(text).split(" "):
        if not word:
            continue
        for place, piece in enumerate(_pieces(word, max(width, 2))):
            room = cell_width(piece)
            if line and place == 0 and used + 1 + room <= width:
                line, used = f"{line} {piece}", used + 1 + room
                continue
            if line:
                lines.append(line)
            line, used = piece, room
    return [*lines, line] if line else lines


def _pieces(word: str, width: int) -> Iterator[str]:
    piece, used = "", 0
    for character in word:
        room = cell_width(character)
        if piece and used + room > width:
            yield piece
            piece, used = "", 0
        piece, used = piece + character, used + room
    yield piece

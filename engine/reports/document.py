"""What a report consists of: sections of text, figures, tables, charts and answers. Pure data.

Text, Markdown and HTML are rendered from one `Document`, so they cannot disagree. All strings may be foreign: the
renderers clean and escape them. Knows neither the project that it describes nor how it is rendered.
"""

from dataclasses import dataclass
from typing import Literal

from engine.records.rule import Span

Tone = Literal["plain", "quiet", "good", "bad", "open"]
# How a line of a chart or an interval is drawn; each role is recognisable without colour.
Role = Literal["main", "second", "third", "fourth", "fifth", "sixth", "seventh"]
Unit = Literal["number", "share", "usd"]


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Fact:
    """A name, a value, and an optional note on the value."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A list of facts; `large` marks the few key figures of a report."""

    rows: tuple[Fact, ...]
    large: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; numbers are right-aligned."""

    name: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, one cell per column; the first cell names it. `strong` marks a total or an outlier."""

    cells: tuple[str, ...]
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows and columns. `code`: cells are tokens or identifiers; `folded`: collapsed in HTML until opened."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    code: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """A share of 0–1 with its interval, and the counts behind it as text."""

    value: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One quantity in every arm; None for an arm that was not measured. `aside`: the text of a last cell."""

    name: str
    measured: tuple[Measured | None, ...]
    strong: bool = False
    aside: str = ""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Shares of several arms, row by row, with their intervals on one axis from 0 to 1."""

    caption: str
    name: str  # of the rows
    arms: tuple[tuple[str, Role], ...]
    rows: tuple[IntervalRow, ...]
    aside: str = ""  # the name of the last column, if there is one


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart."""

    name: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    role: Role = "main"


@dataclass(frozen=True, slots=True)
class Mark:
    """A named position on the x axis; `low` and `high` are the bounds of its range."""

    x: float
    name: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one x axis; the y axis starts at 0."""

    title: str
    x_name: str
    series: tuple[Series, ...]
    unit: Unit = "number"
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts side by side, with a table of their figures for output that cannot show charts."""

    charts: tuple[Chart, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one arm, or of the student at one step. `kept`: whether it passes every rule; None: not checked.

    `marked` are the characters of `text` that break a rule; `notes` say which rule and how.
    """

    name: str
    text: str
    kept: bool | None
    role: Role = "second"
    notes: tuple[str, ...] = ()
    marked: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionAnswers:
    """A question with its answers; `beside`: shown side by side, otherwise one below the other."""

    question: str
    note: str
    answers: tuple[Answer, ...]
    beside: bool = True


Block = Words | Facts | Table | Intervals | Charts | QuestionAnswers


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the report. `id` is its link target, in ASCII letters."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The whole report; `verdict` is one word, and `tone` is its meaning."""

    title: str
    subtitle: str
    verdict: str
    tone: Tone
    sections: tuple[Section, ...]
    colophon: str = ""

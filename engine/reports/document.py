"""What a report is made of: sections of words, figures, tables, charts and answers. Pure data.

Text, Markdown and HTML are drawn from one `Document`, so they cannot disagree. All strings may be foreign: those who
draw clean and escape them. Knows neither the project that it tells of nor how it is drawn.
"""

from dataclasses import dataclass
from typing import Literal

from engine.records.rule import Span

Tone = Literal["plain", "quiet", "good", "bad", "open"]
# How a line of a chart or an interval is drawn, and told from the others without colour.
Role = Literal["main", "second", "third", "fourth", "fifth", "sixth", "seventh"]
Unit = Literal["number", "share", "usd"]


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known: its name, its value, and what has to be added to it."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts one under the other; `large`: the few that a reader came for."""

    rows: tuple[Fact, ...]
    large: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; numbers stand at its right edge."""

    name: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, a cell a column; the first names it. `strong`: it sums up, or differs."""

    cells: tuple[str, ...]
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under their columns. `code`: cells are tokens or identifiers; `folded`: shut until asked for, on a page."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    code: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """A share of 0–1 with its interval, and the counts behind it in words."""

    value: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One measured thing in every arm; None where an arm was not measured. `aside`: a last cell in words."""

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
    aside: str = ""  # the name of the last column, where there is one


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart."""

    name: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    role: Role = "main"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the x axis that has a name; `low` and `high`: between what it lies."""

    x: float
    name: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one x axis; the y axis begins at 0."""

    title: str
    x_name: str
    series: tuple[Series, ...]
    unit: Unit = "number"
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts side by side, with the table that tells their figures where nothing can be drawn."""

    charts: tuple[Chart, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class Answer:
    """What one arm said, or the student at one step. `kept`: every rule; None: not checked.

    `marked` are the characters of `text` that break a rule; `notes` say which rules and how.
    """

    name: str
    text: str
    kept: bool | None
    role: Role = "second"
    notes: tuple[str, ...] = ()
    marked: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question with its answers; `beside`: to be compared word by word, else one after the other."""

    question: str
    note: str
    answers: tuple[Answer, ...]
    beside: bool = True


Block = Words | Facts | Table | Intervals | Charts | Exchange


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the story. `id` names it in links; ASCII letters."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The whole of it; `verdict` in a word, with the tone of what it means."""

    title: str
    subtitle: str
    verdict: str
    tone: Tone
    sections: tuple[Section, ...]
    colophon: str = ""

"""The report as plain text: its width, its columns, and no control characters from foreign text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clean import cell_width, clean_text
from engine.records.rate import Rate
from engine.reports.document import Column, Document, Row, Section, Table, Words
from engine.reports.numbers import measured, of_rate
from engine.reports.text import to_text, wrap
from tests.engine.reports.documents import TEXTS, document


@given(TEXTS, st.integers(60, 140))
def test_no_line_exceeds_the_width_or_has_control_characters(text: str, width: int) -> None:
    shown = to_text(document(text), width)
    assert max(cell_width(line) for line in shown.split("\n")) <= width
    assert clean_text(shown) == shown


@given(TEXTS, st.integers(2, 40))
def test_wrapping_loses_no_character(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cell_width(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(clean_text(text).split("\n")).replace(" ", "").replace("\t", "")


@pytest.mark.parametrize("text", ["plain words", "規則を守る" * 9])
def test_columns_are_aligned_in_any_script(text: str) -> None:
    rows = (Row((text, "1.0")), Row(("short", "100.0")))
    table = Table("caption", (Column("rule"), Column("value", number=True)), rows)
    lines = to_text(Document("t", "s", "v", "plain", (Section("id", "T", (table,)),)), 40).split("\n")
    ends = [cell_width(line) for line in lines if line.endswith(".0")]
    assert len(ends) == 2
    assert ends[0] == ends[1]


def test_table_that_is_too_wide_is_shown_as_lists() -> None:
    columns = (Column("rule"), *(Column(f"column {number}", number=True) for number in range(8)))
    table = Table("caption", columns, (Row(("first", *(f"{number}00.0" for number in range(8)))),))
    text = to_text(Document("t", "s", "v", "plain", (Section("id", "T", (table, Words("end"))),)), 60)
    assert "first\n  column 0: 000.0\n  column 1: 100.0" in text


def test_rate_of_no_trials_is_a_dash() -> None:
    nothing = Rate(0, 0, 0.0, 0.0, 1.0)
    assert measured(of_rate(nothing)) == "–"
    assert measured(of_rate(Rate(3, 4, 0.75, 0.3, 0.95))).startswith("75")

"""The comparison of arms as a table of the report: its cells and its width."""

import dataclasses

import pytest

from engine.clean import cell_width
from engine.records.comparison import Comparison, Paired, RulePaired
from engine.records.evaluation import Interval
from engine.reports.arm_comparisons import arm_comparisons
from engine.reports.document import Document, Section, Table
from engine.reports.numbers import p_value
from engine.reports.text import to_text
from tests.engine.evaluation.handmade_evaluations import evaluation

OPEN = Paired(Interval(-1.0, -1.0, -1.0), 1_000, 1_000, 0.5, 0.5, "undecided", 1_000_000)
LOST = Paired(Interval(-0.3, -0.4, -0.2), 0, 18, 1e-5, 2e-5, "worse", 0)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_comparison_table_shows_the_outcome_of_every_rule_within_the_width(width: int) -> None:
    found = Comparison("checkpoint:12:120", "prompted", LOST, (RulePaired(1, OPEN), RulePaired(2, LOST)))
    base = dataclasses.replace(found, arm="unprompted")
    blocks = tuple(arm_comparisons(dataclasses.replace(evaluation(), comparisons=(base, found))))
    assert [block.caption for block in blocks if isinstance(block, Table)] == [
        "checkpoint:12:120 compared with prompted, question by question"
    ]
    text = to_text(Document("", "", "", "plain", (Section("one", "one", blocks),)), width)
    assert max(cell_width(line) for line in text.splitlines()) <= width
    assert all(cell in text for cell in ("1,000,000 more", "−30.0 (−40 to −20)", "worse", "<.001"))


def test_evaluation_without_comparisons_has_no_table() -> None:
    assert not list(arm_comparisons(evaluation()))


def test_p_values_are_short() -> None:
    assert [p_value(value) for value in (0.0002, 0.0123, 0.5, 1.0)] == ["<.001", ".012", "0.50", "1.00"]

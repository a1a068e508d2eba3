"""Each mark has one meaning on every page; the tables of the pages are compared with the marks of the stations."""

import ast
from pathlib import Path

from tui.panes.evaluation.marks import _MARKS as OUTCOMES
from tui.panes.parts import VERDICTS
from tui.panes.run.table import STATES
from tui.screens.curate.drawing import MARKS as DECISIONS
from tui.widgets.lines import JOB_MARKS, MARKS

ROOT = Path(__file__).parents[3] / "tui"
STALE = ("◐", " ◐", "◐ ", "◐ stale: ", "◐ answers to version ")  # alone beside a name, or with these words


def test_what_is_open_passed_or_failed_has_the_same_mark_everywhere() -> None:
    opened, done, failed = (MARKS[state][0] for state in ("ready", "done", "failed"))
    assert {
        DECISIONS["undecided"][0],
        OUTCOMES["undecided"][0],
        VERDICTS["undecided"][0][0],
        JOB_MARKS["waiting"][0],
    } == {opened}
    assert {DECISIONS["accepted"][0], VERDICTS["pass"][0][0], STATES["done"][0]} == {done}
    assert {DECISIONS["rejected"][0], VERDICTS["fail"][0][0], STATES["failed"][0], STATES["killed"][0]} == {failed}


def test_the_mark_of_what_is_stale_has_no_other_use() -> None:
    texts = {
        (path.name, node.value)
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "◐" in node.value
    }
    assert {text for _, text in texts} <= set(STALE)

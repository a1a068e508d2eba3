"""Snapshots of the review: each state at 120 columns, the busiest at 80."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision
from engine.records.rule import CheckResult, Span
from engine.records.selection import Selection
from tests.tui.curate.review_helpers import LONG, add_attempt, make_reviewed_project, open_review, wait_until_loaded
from tui.app import DistillApp
from tui.screens.curate.screen import CurateScreen

EDITED = (
    "RISK SCORE: 6. Please ring the desk at once. A person will see your cards, and block them where you ask for it."
)
CUT = "RISK SCORE: 2. Sorry, that takes a form. The desk sends it to you, and you send it back with both signatures."

# Name, keys to press after the review has opened.
STATES = {
    "marks": "j space j space j j v j j j",
    "flagged": "t t t t",
    "compared": "j j j j j d",
    "narrowed": "T j j j enter",
    "choosing": "T",
    "long": "j pagedown",
    "whole": "j enter",
    "nothing": "slash u n h e a r d enter",
    "attempts": "right_square_bracket",
}
AT_80 = ("marks", "compared", "attempts", "long")
CASES = [
    *(pytest.param(name, (120, 40), id=f"{name}-120") for name in STATES),
    *(pytest.param(name, (80, 24), id=f"{name}-80") for name in AT_80),
]


@pytest.fixture
def folder(home: Home) -> Path:
    made = make_reviewed_project(home)
    with Project.open(made, home) as project:
        sorry = CUT.index("Sorry")
        broken = CheckResult(4, passed=False, note="says “sorry”", failing=(Span(sorry, sorry + 5),))
        add_attempt(project, 1, 1, CUT)
        ids = [row.example.id for row in project.examples.all()]
        project.examples.set_checks({ids[-1]: [CheckResult(1, passed=True), CheckResult(2, passed=True), broken]})
        project.decisions.decide([Decision(2, "edit", "person", edited_answer=LONG)])
        project.decisions.decide([Decision(6, "edit", "person", edited_answer=EDITED)])
        project.decisions.decide_all(
            "flag", Selection(ids=(ids[3], ids[16])), "ask Ana whether the desk is open on Sundays"
        )
    return made


@pytest.mark.parametrize(("name", "size"), CASES)
@pytest.mark.usefixtures("fixed_meter")
def test_review_matches_its_snapshot(
    snap_compare: Callable[..., bool], home: Home, folder: Path, name: str, size: tuple[int, int]
) -> None:
    app = DistillApp(home, folder)

    async def settle(pilot: Pilot[int]) -> None:
        await open_review(pilot, app)
        await wait_until_loaded(pilot, app)
        for key in STATES[name].split():
            await pilot.press(key)
            if isinstance(app.screen, CurateScreen):
                await pilot.pause(0.05)
            else:
                await pilot.pause(0.2)
        await pilot.pause(0.5)

    assert snap_compare(app, terminal_size=size, run_before=settle)

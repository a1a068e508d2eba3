"""The list of projects without a terminal: its state and its lines."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.projects import ListedJob, ProjectSummary
from engine.records.station import StationName
from tests.hostile import control_characters
from tui.screens.start.drawing import WELCOME, about, ago, body, header, running
from tui.screens.start.state import StartState

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
TRAINING = ListedJob(3, "train", "running", 41, 100, 180.0)


def project(
    name: str,
    archived: bool = False,
    station: StationName | None = None,
    note: str = "",
    jobs: tuple[ListedJob, ...] = (),
    trouble: str = "",
    failed: ListedJob | None = None,
    due: str = "",
) -> ProjectSummary:
    changed_at = NOW.isoformat()
    return ProjectSummary(name, Path("/shelf") / name, changed_at, archived, station, note, jobs, trouble, failed, due)


def state_with(*projects: ProjectSummary) -> StartState:
    state = StartState()
    state.take(projects)
    return state


def listed_names(state: StartState) -> list[str]:
    return [row.name for row in state.rows]


ALL = (
    project("busy", jobs=(TRAINING,), archived=True),
    project("desk"),
    project("old", archived=True),
    project("tone"),
)


def test_archived_projects_are_listed_only_if_running_searched_or_shown() -> None:
    state = state_with(*ALL)
    assert listed_names(state) == ["busy", "desk", "tone"]
    state.turn_archived()
    assert listed_names(state) == ["busy", "desk", "old", "tone"]
    state.turn_archived()
    state.look_for("OL")
    assert listed_names(state) == ["old"]


def test_search_requires_every_word_in_the_name() -> None:
    state = state_with(project("bank-desk"), project("desk-of-bank"), project("bank"))
    state.look_for(" desk  bank ")
    assert listed_names(state) == ["bank-desk", "desk-of-bank"]


def test_cursor_stays_on_its_project_when_the_list_changes() -> None:
    state = state_with(*ALL)
    state.move(2)
    assert state.chosen is not None
    assert state.chosen.name == "tone"
    state.take((project("new"), *ALL))
    assert state.chosen.name == "tone"
    state.look_for("t")
    state.look_for("")
    assert state.chosen.name == "tone"
    state.take(ALL[:3])
    assert state.chosen.name == "desk"


def test_new_project_is_selected_once_it_is_listed() -> None:
    state = state_with(*ALL)
    state.awaited = Path("/shelf/made")
    state.take(ALL)
    assert state.at == 0
    state.take((*ALL, project("made")))
    assert state.chosen is not None
    assert state.chosen.name == "made"
    state.move(-1)
    state.take((*ALL, project("made")))
    assert state.chosen.name == "tone"


def test_copy_gets_the_first_free_name() -> None:
    state = state_with(project("desk"), project("desk-2"), project("desk-3", archived=True))
    assert state.free_name("desk") == "desk-4"
    assert state.free_name("..a desk\x1b[2J") == "-a-desk-2J-2"


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.integers(-9, 9)), st.integers(1, 5))
def test_cursor_row_is_always_visible(listed: list[str], steps: list[int], height: int) -> None:
    state = state_with(*map(project, listed))
    for step in steps:
        state.move(step)
    lines = body(state, 80, height, NOW)
    assert (state.chosen is not None) is bool(listed)
    if listed:
        assert len(lines) == min(height, len(listed))
        assert sum(line.plain.startswith("▌") for line in lines) == 1


@given(
    st.text(max_size=60), st.text(max_size=60), st.integers(48, 160), st.booleans(),
    st.lists(st.sampled_from([TRAINING, dataclasses.replace(TRAINING, state="waiting", total=0)]), max_size=3),
)  # fmt: skip
def test_line_has_exactly_its_width_and_no_control_codes(
    note: str, trouble: str, width: int, archived: bool, jobs: list[ListedJob]
) -> None:
    row = project("x", station="run", note=note, trouble=trouble, archived=archived, jobs=tuple(jobs))
    state = state_with(row)
    state.archived_shown = True
    (line,) = body(state, width, 5, NOW)
    assert line.cell_length == width
    assert not control_characters(line.plain, "")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-5, "just now"), (59, "just now"), (60, "1 min ago"), (3_599, "59 min ago"), (3_600, "1 h ago"),
     (86_399, "23 h ago"), (86_400, "1 day ago"), (30 * 86_400, "30 days ago"), (31 * 86_400, "2025-12-02")],
)  # fmt: skip
def test_age_is_shown_in_one_unit(seconds: int, expected: str) -> None:
    assert ago((NOW - timedelta(seconds=seconds)).isoformat(), NOW) == expected


def test_running_jobs_are_shown_as_far_as_they_fit() -> None:
    two = project("x", jobs=(TRAINING, TRAINING))
    assert running(two, 40).plain.rstrip() == "● train 41\u00a0%   3 min 00 s left   +1 more"
    assert running(two, 34).plain.rstrip() == "● train 41\u00a0%   3 min 00 s left"
    assert running(two, 24).plain.rstrip() == "● train 41\u00a0%   +1 more"
    paused = project("x", jobs=(dataclasses.replace(TRAINING, state="paused"),))
    assert running(paused, 40).plain.rstrip() == "‖ train paused"


def test_header_counts_projects_active_ones_and_archived_ones() -> None:
    text = header(state_with(*ALL), 80).plain
    assert "2 projects" in text
    assert "● 1 active" in text
    assert "2 archived" in text


def test_empty_list_gives_its_reason() -> None:
    def drawn(state: StartState) -> str:
        return "\n".join(line.plain for line in body(state, 80, 10, NOW))

    assert "Reading" in drawn(StartState())
    assert "No projects yet." in drawn(state_with())
    assert "Every project is archived." in drawn(state_with(project("old", archived=True)))
    nothing = state_with(project("desk"))
    nothing.look_for("x\x1b[2J")
    assert "No name contains “x" in drawn(nothing)
    assert "\x1b" not in drawn(nothing)
    assert "cannot be listed" in drawn(StartState(trouble="The projects cannot be listed."))


def test_error_of_a_project_is_shown_in_full_below_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/shelf")
    state = state_with(project("broken", trouble="This is not a project. /shelf/broken/project.db is no database."))
    assert " ".join(line.plain for line in about(state, 40, 2)) == (
        "This is not a project. ~/broken/project.db is no database."
    )
    assert [line.plain for line in about(state_with(project("desk")), 40, 2)] == ["~/desk"]


def test_due_reminder_is_shown() -> None:
    for width in (60, 116):
        lines = [
            line.plain for line in body(state_with(project("desk", due="2025-12-31"), project("tone")), width, 10, NOW)
        ]
        assert [("review the prompt" in line) for line in lines if "desk" in line or "tone" in line] == [True, False]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_killed_job_is_named_before_a_reminder(width: int) -> None:
    killed = project("x", station="run", note="run 1", failed=ListedJob(3, "train", "lost", 41, 100, None), due="2026")
    (line,) = body(state_with(killed), width, 5, NOW)
    assert "✗ train killed" in line.plain
    (line,) = body(state_with(dataclasses.replace(killed, failed=None)), width, 5, NOW)
    assert "! review the prompt" in line.plain


@pytest.mark.parametrize("width", [58, 78, 118])
def test_welcome_fits_and_breaks_no_line_early(width: int) -> None:
    lines = [line.plain for line in body(state_with(), width, 20, NOW)]
    assert max(map(len, lines)) <= width
    assert lines[: len(WELCOME)] == list(WELCOME) or len(lines[0]) > 40

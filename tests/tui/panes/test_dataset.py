"""The dataset pane by its keys: the preview, refused answers, earlier datasets, and how it looks."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from engine.errors import ModelError
from engine.jobs.protocol import StageStarted, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision
from engine.records.options import GenerateOptions
from tests.tui.panes.dataset_helpers import looking, make_overlapping, open_pane, pane, text
from tests.tui.panes.helpers import notified
from tests.tui.piloting import SIZES, facts_of, until, wait_for_toast, workspace
from tests.tui.seeds import add_dataset, add_examples, add_job, add_run, make_project, make_stage
from tui.app import DistillApp
from tui.keys import key_of
from tui.services import program


@pytest.mark.parametrize("size", SIZES)
async def test_accepted_answers_are_previewed_and_frozen_by_one_key(
    home: Home, size: tuple[int, int], freeze_commands: list[list[str]]
) -> None:
    with make_project(home) as project:
        add_examples(project)
        folder = project.folder
    async with looking(home, folder, size, "what would be frozen now") as (pilot, app):
        assert "8 rejected" in text(app)
        previews = freeze_commands.count(["curate", "freeze", "--dry-run"])
        await pilot.press("R")
        await until(pilot, lambda: freeze_commands.count(["curate", "freeze", "--dry-run"]) == previews + 1)
        await until(pilot, lambda: "8 rejected" in text(app))
        await pilot.press("z")
        await until(pilot, lambda: "by topic and split" in text(app))
        assert notified(app, "26 train rows, 6 validation rows")
        await until(pilot, lambda: "no run yet" in text(app))
    with Project.open(folder, home) as project:
        latest = project.datasets.latest()
    assert latest is not None
    assert (latest.train, latest.validation) == (26, 6)
    assert ["curate", "freeze"] in freeze_commands


@pytest.mark.parametrize("size", SIZES)
async def test_preview_waits_for_generation_and_review_unless_requested(
    home: Home, size: tuple[int, int], freeze_commands: list[list[str]]
) -> None:
    with make_project(home) as project:
        add_examples(project, 20)
        job = add_job(project, GenerateOptions(), "running", [StateChanged("running"), StageStarted("examples")])
        folder = project.folder
    async with looking(home, folder, size, "Answers are still coming in") as (pilot, app):
        assert freeze_commands == []
        await pilot.press(key_of("dataset.look"))
        await until(pilot, lambda: "what would be frozen now" in text(app) and not pane(app).state.looking)
        assert len(freeze_commands) == 1
        assert "Answers are still coming in" in text(app)
        with Project.open(folder, home) as project:
            project.jobs.update(job.id, state="done")
        await until(pilot, lambda: len(freeze_commands) == 2)
        await until(pilot, lambda: "Answers are still coming in" not in text(app) and not pane(app).state.looking)
        below = workspace(app)
        await pilot.press(key_of("workspace.curate"))
        await until(pilot, lambda: app.screen is not below)
        with Project.open(folder, home) as project:
            project.decisions.decide([Decision(1, "reject", "person")])
        await until(pilot, lambda: facts_of(app).examples.rejected == 5)
        below._draw()
        assert len(freeze_commands) == 2
        await pilot.press("escape")
        await until(pilot, lambda: len(freeze_commands) == 3)


async def test_search_finds_refused_answers_and_escape_restores_the_cursor(
    home: Home, freeze_commands: list[list[str]]
) -> None:
    async with looking(home, make_overlapping(home), (80, 24), "✗ 3 refused") as (pilot, app):
        state = pane(app).state
        found = [place for place, each in enumerate(state.refused) if each.kind == "overlap"]
        assert len(found) == 2
        await pilot.press("slash", *"overlap")
        await until(pilot, lambda: state.cursor == found[0])
        await pilot.press("enter", "n")
        await until(pilot, lambda: state.cursor == found[1])
        await pilot.press("N")
        await until(pilot, lambda: state.cursor == found[0])
        await pilot.press("n", "escape")
        await until(pilot, lambda: state.cursor == 0)
        assert ["curate", "freeze"] not in freeze_commands


async def test_going_to_the_current_row_does_not_scroll(home: Home, freeze_commands: list[list[str]]) -> None:
    async with looking(home, make_overlapping(home), (80, 20), "✗ 3 refused") as (pilot, app):
        await pilot.press("j", "j")
        await until(pilot, lambda: pane(app).scroll_y > 0)
        before = pane(app).scroll_y
        pane(app).go(2)
        await pilot.pause()
        assert (pane(app).state.cursor, pane(app).scroll_y) == (2, before)


async def test_keys_move_the_cursor_and_then_scroll_past_the_list(home: Home, freeze_commands: list[list[str]]) -> None:
    async with looking(home, make_overlapping(home), (80, 20), "✗ 3 refused") as (pilot, app):
        state = pane(app).state
        await pilot.press("pagedown")
        assert state.cursor == 2
        await pilot.press("g")
        await until(pilot, lambda: (state.cursor, pane(app).scroll_y) == (0, 0))
        await pilot.press("G")
        assert state.cursor == 2
        await until(pilot, lambda: 0 < pane(app).scroll_y < pane(app).max_scroll_y)
        await pilot.press("j")
        await until(pilot, lambda: pane(app).scroll_y > 1)
        await pilot.press("G")
        await until(pilot, lambda: pane(app).scroll_y == pane(app).max_scroll_y)
        assert state.cursor == 2


async def test_refused_answers_are_listed_and_rejected_by_one_key(home: Home, freeze_commands: list[list[str]]) -> None:
    folder = make_overlapping(home)
    async with looking(home, folder, (120, 40), "✗ 3 refused") as (pilot, app):
        assert "“You answer for Meridian, a bank." in text(app)
        await pilot.press("j", "j")
        assert "copies a prompt message" in text(app).split("▌")[1].split("\n")[0]
        await pilot.press("d")
        await until(pilot, lambda: "✗ 2 refused" in text(app))
    with Project.open(folder, home) as project:
        assert project.examples.get(4).state == "rejected"
        assert project.datasets.latest() is None


async def test_failed_preview_is_reported_until_one_succeeds(
    home: Home, freeze_commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out = program.carry_out

    def fails(args: list[str], *rest: object) -> program.Answer:
        raise ModelError("The tokenizer cannot be read.", "owner/name", "Check the network.")

    monkeypatch.setattr(program, "carry_out", fails)
    with make_project(home) as project:
        add_examples(project)
    async with looking(home, home.projects / "meridian-desk", (80, 24), "The tokenizer cannot be read.") as (
        pilot,
        app,
    ):
        assert "Looking" not in text(app)
        assert f"{key_of('dataset.look')} checks again" in text(app)
        monkeypatch.setattr(program, "carry_out", carry_out)
        with Project.open(home.projects / "meridian-desk", home) as project:
            project.decisions.decide([Decision(1, "reject", "person")])
        await until(pilot, lambda: "9 rejected" in text(app))
        assert "cannot be read" not in text(app)


async def test_stale_dataset_is_reported_and_earlier_ones_are_listed(
    home: Home, freeze_commands: list[list[str]]
) -> None:
    with make_project(home) as project:
        add_examples(project)
        add_run(project, add_dataset(project), done=True)
        project.decisions.decide([Decision(1, "reject", "person")])
        folder = project.folder
    async with looking(home, folder, (120, 40), "◐ stale: other examples are accepted now   next: z freeze again") as (
        pilot,
        app,
    ):
        await pilot.press("z")
        await until(pilot, lambda: "31 rows" in text(app) and "earlier datasets" in text(app))
        assert "run 1" in text(app).split("earlier datasets")[1]
        assert "stale" not in text(app)


@pytest.mark.parametrize(("stage", "hint"), [("new", "3   generate answers"), ("rejected", "c   review them")])
async def test_without_accepted_answers_the_next_key_is_named(home: Home, stage: str, hint: str) -> None:
    folder = make_stage(home, "new")
    if stage == "rejected":
        with Project.open(folder, home) as project:
            add_examples(project, 3)
            project.decisions.decide([Decision(id, "reject", "person") for id in (1, 2, 3)])
    async with looking(home, folder, (80, 24), hint) as (pilot, app):
        for key, words in (("z", "No answer is accepted yet"), ("d", "Nothing is refused.")):
            app.clear_notifications()
            await pilot.press(key)
            await wait_for_toast(pilot, words)


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize("name", ["empty", "would-be", "refused", "asks", "busy", "failed", "stale", "done"])
@pytest.mark.usefixtures("fixed_meter", "freeze_commands")
def test_pane_matches_its_snapshot(
    snap_compare: Callable[..., bool],
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    size: tuple[int, int],
) -> None:
    if name in ("refused", "asks"):
        folder = make_overlapping(home)
    else:
        with make_project(home) as project:
            if name != "empty":
                add_examples(project)
            if name in ("stale", "done"):
                add_run(project, add_dataset(project), done=True)
            if name == "stale":
                project.decisions.decide([Decision(1, "reject", "person")])
            folder = project.folder
    app = DistillApp(home, folder)

    async def settle(pilot: Pilot[int]) -> None:
        await open_pane(pilot, app)
        state = pane(app).state
        await until(pilot, lambda: name == "empty" or (state.preview is not None and not state.looking))
        if name == "asks":
            await pilot.press("z", "right")
        if name == "busy":
            monkeypatch.setattr(pane(app)._program, "start", lambda *_: None)
            monkeypatch.setattr("tui.panes.dataset.pane.monotonic", lambda: 60.0)
            await pilot.press("z")
            pane(app).state.freezing_since = 56.0
            pane(app).redraw()
        if name == "failed":
            pane(app).state.failure = ModelError(
                "The model cannot be downloaded.",
                "owner/name: the network is unreachable.",
                "Check the network, or use `starter` or a local folder.",
            )
            pane(app).redraw()
        await pilot.pause(0.5)

    assert snap_compare(app, terminal_size=size, run_before=settle)

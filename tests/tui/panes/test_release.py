"""The release pane by its keys: exporting a run, the model card, copying the path, and how it looks."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.jobs.protocol import Event, Note, Progress, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.job import Job, JobState
from engine.records.options import ExportOptions, JobOptions, TrainOptions
from engine.records.release import ReleaseKind
from tests.engine.releases.fake_llama_cpp import write_converter
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project
from tests.tui.panes.helpers import messages, notified
from tests.tui.panes.release_helpers import make_runs, write_release
from tests.tui.piloting import (
    SIZES,
    form_aside,
    go_to_pane,
    pane_of,
    settled,
    shown,
    text_of,
    until,
    wait_for_form,
    wait_for_toast,
)
from tests.tui.seeds import (
    AT,
    FIRST_EVENT_AT,
    add_job,
    add_run,
    make_project,
)
from tui.app import DistillApp
from tui.panes.release.pane import ReleasePane
from tui.panes.release.state import ReleaseState
from tui.services.release import KINDS, ReleasePage
from tui.widgets.page import Page

WAITING = "job 7 (train) of tone holds cpu"
DISK_FULL = "The release cannot be written. /media/stick: No space left on device. Check the free space."
pane = partial(pane_of, kind=ReleasePane)
text = partial(text_of, kind=ReleasePane)


async def open_pane(pilot: Pilot[int], app: DistillApp) -> None:
    await go_to_pane(pilot, 7, ReleasePane, lambda: pane(app).state.page is not None)


async def open_export_form(pilot: Pilot[int], app: DistillApp) -> None:
    """Open the export form for a run with an evaluation."""
    await open_pane(pilot, app)
    await until(pilot, lambda: "✓ pass" in text(app))
    await pilot.press("e")
    await wait_for_form(pilot)


@pytest.fixture
def started_jobs(monkeypatch: pytest.MonkeyPatch) -> list[JobOptions]:
    """Start no process: each job is added as running; the options of each, in order."""
    recorded: list[JobOptions] = []

    def start(project: Project, options: JobOptions) -> Job:
        recorded.append(options)
        return add_job(project, options, "running", [StateChanged("running"), Note("merging base and adapter")])

    monkeypatch.setattr(Project, "start_job", start)
    return recorded


def finish_export(folder: Path, home: Home) -> None:
    """Finish the job, with its release."""
    with Project.open(folder, home) as project:
        number = len(project.releases.all()) + 1
        write_release(project.folder / "releases" / f"adapter-{number}")
        project.releases.add("adapter", 1, f"releases/adapter-{number}", "cd" * 32)
        project.jobs.update(project.jobs.all()[-1].id, state="done")


@pytest.mark.parametrize("size", SIZES)
async def test_run_is_exported_from_the_form_and_its_files_are_shown(
    home: Home, size: tuple[int, int], started_jobs: list[JobOptions]
) -> None:
    folder = make_runs(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: "✓ pass" in text(app) and "e   export one" in text(app))
        await pilot.press("e")
        await wait_for_form(pilot)
        assert "Its evaluation passed." in form_aside(app)
        assert "run-1-adapter" in "".join(form_aside(app).split())
        await pilot.press("right", "enter")
        await until(pilot, lambda: "● exporting" in text(app) and "merging base and adapter" in text(app))
        assert "export one" not in text(app)
        finish_export(folder, home)
        await until(pilot, lambda: "adapter_model.safetensors" in text(app))
        assert "5.0 MB" in text(app)
        assert str(folder / "releases" / "adapter-1") in "".join(text(app).split())
    assert started_jobs == [ExportOptions(1, "merged")]


async def test_gguf_form_asks_for_llama_cpp_and_escape_returns_to_the_first_form(
    home: Home, started_jobs: list[JobOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CPP", "")
    write_converter(tmp_path / "x")
    there = tmp_path / "new"
    app = DistillApp(home, make_runs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_export_form(pilot, app)
        await pilot.press("left", "down", "down", *str(there), "enter")
        await until(pilot, lambda: bool(app.screen.query("#field-llama-cpp")))
        await pilot.press("escape")
        await until(pilot, lambda: bool(app.screen.query("#field-to")))
        assert app.screen.query_one("#field-to", Input).value == str(there)
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.screen.query("#field-llama-cpp")))
        await pilot.press(*str(tmp_path), "down", "left", "enter")
        await until(pilot, lambda: notified(app, "no convert_hf"))
        assert not started_jobs
        await pilot.press("e")
        await wait_for_form(pilot)
        await pilot.press("left", "enter")
        await until(pilot, lambda: bool(app.screen.query("#field-llama-cpp")))
        await pilot.press(*str(tmp_path / "x"), "down", "left", "enter")
        await until(pilot, lambda: bool(started_jobs))
    assert started_jobs == [ExportOptions(1, "gguf", gguf_type="q8_0")]
    assert os.environ["LLAMA_CPP"] == str(tmp_path / "x")  # passed to the job; not stored in the project


async def test_destination_and_replace_are_passed_to_the_job(
    home: Home, started_jobs: list[JobOptions], tmp_path: Path
) -> None:
    app = DistillApp(home, make_runs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_export_form(pilot, app)
        await pilot.press("down", "down", *str(tmp_path / "x"), "down", "right", "enter")
        await until(pilot, lambda: bool(started_jobs))
    assert started_jobs == [ExportOptions(1, destination=str(tmp_path / "x"), force=True)]


async def test_non_empty_destination_is_refused_before_a_job_starts(
    home: Home, started_jobs: list[JobOptions], tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").touch()
    app = DistillApp(home, make_runs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_export_form(pilot, app)
        await pilot.press("down", "down", *str(tmp_path), "enter")
        await until(pilot, lambda: any("not empty" in str(note.message) + note.title for note in app._notifications))
    assert not started_jobs


async def test_elapsed_time_is_updated_during_a_silent_export(
    home: Home, started_jobs: list[JobOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, started = make_runs(home), monotonic()
    monkeypatch.setattr("tui.panes.release.pane.time", lambda: FIRST_EVENT_AT + monotonic() - started)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_export_form(pilot, app)
        await pilot.press("enter")
        await until(pilot, lambda: re.search(r"● exporting   \d+ s", text(app)) is not None)
        before = text(app)
        await until(pilot, lambda: "● exporting" in text(app) and text(app) != before)
        finish_export(folder, home)
        await until(pilot, lambda: "exporting" not in text(app))
        assert shown(app) == "release"  # the pane of the finished export stays open


@pytest.mark.parametrize(("state", "note"), [("waiting", WAITING), ("failed", DISK_FULL)])
async def test_export_beside_a_training_is_shown_in_its_own_pane(home: Home, state: JobState, note: str) -> None:
    folder = make_runs(home)
    with Project.open(folder, home) as project:
        add_job(project, ExportOptions(1, "merged"), state, [StateChanged(state, note)], note)
        add_job(project, TrainOptions(1), "running", [StateChanged("running")])
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: note[:30] in text(app))


async def test_model_card_is_opened_and_the_path_is_copied(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(DistillApp, "copy_to_clipboard", lambda self, text: copied.append(text))
    folder = make_runs(home, releases=3)
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: "exported, newest first" in text(app))
        await pilot.press("y", "enter")
        await until(pilot, lambda: "distilled into these weights" in text(app))
        await pilot.press("escape", "j")
        assert copied == [str(folder / "releases" / "adapter-3")]
        assert "its folder is gone" in text(app).split("▌")[1].split("\n")[0]
        await pilot.press("enter")
        await until(pilot, lambda: any("model card" in note.title for note in app._notifications))


async def test_open_card_stays_that_of_its_release_when_a_newer_one_arrives(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr(DistillApp, "copy_to_clipboard", lambda self, text: copied.append(text))
    folder = make_runs(home, releases=1)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_pane(pilot, app)
        await pilot.press("enter")
        await until(pilot, lambda: "Model card   gguf of run 1" in text(app))
        with Project.open(folder, home) as project:
            project.releases.add("adapter", 1, "releases/adapter-9", "cd" * 32)
        await until(pilot, lambda: len(pane(app).state.releases) == 2)
        await pilot.press("y")
        assert copied == [str(folder / "releases" / "adapter-1")]
        assert "Model card   gguf of run 1" in text(app)


async def wait_for_row(pilot: Pilot[int], row: int) -> None:
    """Wait until the pane is scrolled to where this row of its page is visible."""
    shown = pane(pilot.app)
    await until(pilot, lambda: shown.scroll_y <= row < shown.scroll_y + shown.size.height - 1)


@pytest.mark.parametrize("size", [(60, 20), (80, 20)])
async def test_selected_release_is_visible(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_runs(home, releases=9))
    async with app.run_test(size=size) as pilot:
        await open_pane(pilot, app)
        for keys in ("j", "Gk", "jjjjjjjj", "gk"):
            await pilot.press(*keys)
            await pilot.pause()
            rows = pane(app).query_one(Page).rows
            row = next(place for place, row in enumerate(rows) if row.startswith("▌"))
            await wait_for_row(pilot, row)


async def test_without_an_adapter_the_next_key_is_named(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: "3   generate answers first" in text(app))
        for key, words in (
            ("e", "No run has an adapter yet. Go to Run (5) to train one."),
            ("enter", "There is no release yet."),
            ("y", "There is no release yet."),
        ):
            app.clear_notifications()
            await pilot.press(key)
            await wait_for_toast(pilot, words)
            assert messages(app) == [words]


async def test_real_job_exports_an_adapter(home: Home, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "tiny")
    adapter = make_tiny_adapter(base, tmp_path / "adapter")
    with make_trained_project(home, base, adapter) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: "not evaluated" in text(app))
        await pilot.press("e")
        await wait_for_form(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "adapter_model.safetensors" in text(app), seconds=120)


def with_fixed_sizes_and_folders(page: ReleasePage) -> ReleasePage:
    """The page with the same folders and typical sizes each time, for the snapshots."""
    places = {kind: f"/home/you/releases/run-1-{kind}" for kind in KINDS}
    weights: dict[ReleaseKind, int | None] = {"adapter": 9_400_000, "merged": 542_000_000, "gguf": 271_000_000}
    return ReleasePage(
        tuple(replace(run, bytes=weights, folders=places) for run in page.runs),
        tuple(replace(each, folder=f"/home/you/meridian-desk/{each.release.folder}") for each in page.releases),
    )


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize("name", ["empty", "ready", "asks", "gguf", "busy", "waits", "failed", "done", "card", "stale"])
@pytest.mark.usefixtures("fixed_meter")
def test_pane_matches_its_snapshot(
    snap_compare: Callable[..., bool],
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    size: tuple[int, int],
) -> None:
    monkeypatch.setattr("engine.store.releases.now_text", lambda: AT)
    if name == "empty":
        with make_project(home) as project:
            folder = project.folder
    else:
        folder = make_runs(home, releases=3 if name in ("done", "card", "stale") else 0, evaluated=name != "failed")
    events: list[Event] = [StateChanged("running"), Note("merging base and adapter")]
    with Project.open(folder, home) as project:
        if name == "busy":
            add_job(project, ExportOptions(1, "gguf"), "running", [*events, Progress(98, 272, "converting: Writing")])
            monkeypatch.setattr("tui.panes.release.pane.time", lambda: FIRST_EVENT_AT + 12.0)
        if name == "waits":
            add_job(project, ExportOptions(1, "merged"), "waiting", [StateChanged("waiting", WAITING)], WAITING)
        if name == "failed":
            add_job(project, ExportOptions(1), "failed", [*events, StateChanged("failed", DISK_FULL)], DISK_FULL)
    if name == "stale":
        with Project.open(folder, home) as project:
            add_run(project, project.runs.get(1).dataset_sha256, done=True)
    app = DistillApp(home, folder)
    take = ReleaseState.take
    monkeypatch.setattr(ReleaseState, "take", lambda state, page: take(state, with_fixed_sizes_and_folders(page)))

    async def settle(pilot: Pilot[int]) -> None:
        await open_pane(pilot, app)
        state = pane(app).state
        if name in ("asks", "gguf"):
            await pilot.press("e")
        if name == "gguf":
            await wait_for_form(pilot)
            await pilot.press("left", "enter")
            await until(pilot, lambda: bool(app.screen.query("#field-llama-cpp")))
            await pilot.press("down")  # no cursor blinks on this field
        if name == "card":
            await pilot.press("enter")
            await until(pilot, lambda: state.card is not None)
        pane_found = app.screen.query(ReleasePane)
        if pane_found:
            pane_found.first().redraw()
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=settle)

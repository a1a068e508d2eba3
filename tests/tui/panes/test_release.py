"""The release pane: what can leave and with which verdict, exporting, what lies where, the card, the path."""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from engine.jobs.protocol import Event, Note, Progress, StampedEvent, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.job import Job, JobState
from engine.records.options import ExportOptions, JobOptions, ProjectSettings, TrainOptions
from engine.records.release import Parity, Release, ReleasedFile, ReleaseKind
from engine.records.station import STATIONS, Station
from tests.engine.releases.llama import write_converter
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project
from tests.tui.panes.test_dataset import in_time
from tests.tui.piloting import form_of, pane_of, reach, settled, shown, text_of, until
from tests.tui.seeds import BEGAN, add_dataset, add_evaluation, add_examples, add_job, add_run, hostile, make_project
from tui.app import DistillApp
from tui.panes.job import JobView
from tui.panes.release.drawing import draw, size
from tui.panes.release.pane import ReleasePane
from tui.panes.release.state import ReleaseState
from tui.panes.view import View
from tui.services.facts import Facts
from tui.services.release import KINDS, Exportable, Released, ReleasePage
from tui.widgets.page import Page

WAITS = "job 7 (train) of tone holds cpu"
FULL = "The release cannot be written. /media/stick: No space left on device. Check the free space."
SIZES = [(80, 24), (120, 40)]
AT = "2026-01-02T03:04:05+00:00"
CARD = "---\nlibrary_name: peft\n---\n# A model with its prompt inside\n\nA prompt was distilled into these weights."


pane = partial(pane_of, kind=ReleasePane)
text = partial(text_of, kind=ReleasePane)


async def opened(pilot: Pilot[int], app: DistillApp) -> None:
    await reach(pilot, 7, ReleasePane, lambda: pane(app).state.page is not None)


def write_release(folder: Path, weights: bytes = b"w" * 5_000_000) -> None:
    """The files of a release, as an export leaves them."""
    folder.mkdir(parents=True)
    files = {"README.md": CARD.encode(), "adapter_config.json": b"{}" * 300, "adapter_model.safetensors": weights}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    (folder / "SHA256SUMS").write_text(sums)


def make_runs(home: Home, *, releases: int = 0, evaluated: bool = True) -> Path:
    """A run with an adapter, and exports of it; the second one's folder is gone."""
    with make_project(home) as project:
        add_examples(project)
        run_id = add_run(project, add_dataset(project), done=True)
        adapter = project.folder / project.runs.get(run_id).folder / "adapter"
        adapter.mkdir(parents=True)
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            (adapter / name).write_bytes(b"a" * 1_000)
        if evaluated:
            add_evaluation(project, run_id)
        for number in range(1, releases + 1):
            folder = project.folder / "releases" / f"adapter-{number}"
            if number != 2:
                write_release(folder)
            kind: ReleaseKind = "gguf" if number == 1 else "adapter"
            proved = Parity(8, 233, 233, 0.0008, 0.004) if kind == "gguf" else None
            project.releases.add(kind, run_id, f"releases/adapter-{number}", "ab" * 32, proved)
        return project.folder


async def form_opened(pilot: Pilot[int], app: DistillApp) -> None:
    """The form of an export, of a run that was measured."""
    await opened(pilot, app)
    await until(pilot, lambda: "✓ pass" in text(app))
    await pilot.press("e")
    await form_of(pilot)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[JobOptions]:
    """What was asked for; the job stands there as running, and no process is started."""
    asked: list[JobOptions] = []

    def start(project: Project, options: JobOptions) -> Job:
        asked.append(options)
        return add_job(project, options, "running", [StateChanged("running"), Note("merging base and adapter")])

    monkeypatch.setattr(Project, "start_job", start)
    return asked


def end_job(folder: Path, home: Home) -> None:
    """The job has released the adapter."""
    with Project.open(folder, home) as project:
        number = len(project.releases.all()) + 1
        write_release(project.folder / "releases" / f"adapter-{number}")
        project.releases.add("adapter", 1, f"releases/adapter-{number}", "cd" * 32)
        project.jobs.update(project.jobs.all()[-1].id, state="done")


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_is_exported_by_a_form_and_its_files_are_shown(
    home: Home, size: tuple[int, int], launched: list[JobOptions]
) -> None:
    folder = make_runs(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "✓ pass" in text(app) and "e   export one" in text(app))
        await pilot.press("e")
        await form_of(pilot)
        aside = str(app.screen.query_one("#aside", Static).visual)
        assert "Its evaluation passed." in aside
        assert "run-1-adapter" in "".join(aside.split())
        await pilot.press("right", "enter")
        await until(pilot, lambda: "● exporting" in text(app) and "merging base and adapter" in text(app))
        assert "export one" not in text(app)
        end_job(folder, home)
        await until(pilot, lambda: "adapter_model.safetensors" in text(app))
        assert "5.0 MB" in text(app)
        assert str(folder / "releases" / "adapter-1") in "".join(text(app).split())
    assert launched == [ExportOptions(1, "merged")]


async def test_gguf_asks_for_llama_cpp_too_and_whoever_leaves_is_back_at_the_first_questions(
    home: Home, launched: list[JobOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CPP", "")
    write_converter(tmp_path / "x")
    there = tmp_path / "new"
    app = DistillApp(home, make_runs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await form_opened(pilot, app)
        await pilot.press("left", "down", "down", *str(there), "enter")
        await until(pilot, lambda: bool(app.screen.query("#field-llama-cpp")))
        await pilot.press("escape")
        await until(pilot, lambda: bool(app.screen.query("#field-to")))
        assert app.screen.query_one("#field-to", Input).value == str(there)
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.screen.query("#field-llama-cpp")))
        await pilot.press(*str(tmp_path), "down", "left", "enter")
        await until(pilot, lambda: any("no convert_hf" in note.message for note in app._notifications))
        assert not launched
        await pilot.press("e")
        await form_of(pilot)
        await pilot.press("left", "enter")
        await until(pilot, lambda: bool(app.screen.query("#field-llama-cpp")))
        await pilot.press(*str(tmp_path / "x"), "down", "left", "enter")
        await until(pilot, lambda: bool(launched))
    assert launched == [ExportOptions(1, "gguf", gguf_type="q8_0")]
    assert os.environ["LLAMA_CPP"] == str(tmp_path / "x")  # for the job, and told nowhere in the project


def test_what_was_proved_of_a_release_is_told_under_it() -> None:
    state = ReleaseState()
    files = (ReleasedFile("model.gguf", "ab" * 32, 5_000_000),)
    made = Release(1, "gguf", 1, "/r", "ab" * 32, AT, Parity(8, 1_233, 1_230, 0.00081, 0.2))
    state.take(ReleasePage((), (Released(made, "/r", files),)))
    view = View(Facts("p", "/p", ProjectSettings(), tuple(Station(n, "done", 1, "") for n in STATIONS)), None, 90, 24)
    lines = [line.plain for line in draw(view, state, 0.0)]
    assert "  ✓ llama-server: 1,230 of 1,233 tokens as the weights, 0.00081 nats apart" in lines


async def test_where_to_and_whether_to_replace_are_passed_on(
    home: Home, launched: list[JobOptions], tmp_path: Path
) -> None:
    app = DistillApp(home, make_runs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await form_opened(pilot, app)
        await pilot.press("down", "down", *str(tmp_path / "x"), "down", "right", "enter")
        await until(pilot, lambda: bool(launched))
    assert launched == [ExportOptions(1, destination=str(tmp_path / "x"), force=True)]


async def test_a_place_that_is_taken_is_told_before_a_job_starts(
    home: Home, launched: list[JobOptions], tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").touch()
    app = DistillApp(home, make_runs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await form_opened(pilot, app)
        await pilot.press("down", "down", *str(tmp_path), "enter")
        await until(pilot, lambda: any("not empty" in str(note.message) + note.title for note in app._notifications))
    assert not launched


async def test_how_long_an_export_takes_is_told_while_its_process_says_nothing(
    home: Home, launched: list[JobOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, here = make_runs(home), monotonic()
    monkeypatch.setattr("tui.panes.release.pane.time", lambda: BEGAN + monotonic() - here)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await form_opened(pilot, app)
        await pilot.press("enter")
        await until(pilot, lambda: re.search(r"● exporting   \d+ s", text(app)) is not None)
        before = text(app)
        await until(pilot, lambda: "● exporting" in text(app) and text(app) != before)
        end_job(folder, home)
        await until(pilot, lambda: "exporting" not in text(app))
        assert shown(app) == "release"  # what was made is there


@pytest.mark.parametrize(("state", "said"), [("waiting", WAITS), ("failed", FULL)])
async def test_an_export_beside_a_training_is_told_in_its_own_pane(home: Home, state: JobState, said: str) -> None:
    folder = make_runs(home)
    with Project.open(folder, home) as project:
        add_job(project, ExportOptions(1, "merged"), state, [StateChanged(state, said)], said)
        add_job(project, TrainOptions(1), "running", [StateChanged("running")])
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: said[:30] in text(app))


async def test_the_card_is_read_and_the_path_is_copied(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(DistillApp, "copy_to_clipboard", lambda self, words: copied.append(words))
    folder = make_runs(home, releases=3)
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "exported, newest first" in text(app))
        await pilot.press("y", "enter")
        await until(pilot, lambda: "distilled into these weights" in text(app))
        await pilot.press("escape", "j")
        assert copied == [str(folder / "releases" / "adapter-3")]
        assert "its folder is gone" in text(app).split("▌")[1].split("\n")[0]
        await pilot.press("enter")
        await until(pilot, lambda: any("model card" in note.title for note in app._notifications))


@pytest.mark.parametrize("size", [(60, 20), (80, 20)])
async def test_the_release_under_the_cursor_is_in_sight(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_runs(home, releases=9))
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app)
        for keys in ("j", "Gk", "jjjjjjjj", "gk"):
            await pilot.press(*keys)
            await pilot.pause()
            rows = pane(app).query_one(Page).rows
            row = next(place for place, row in enumerate(rows) if row.startswith("▌"))
            await until(
                pilot,
                lambda row=row: pane(app).scroll_y <= row < pane(app).scroll_y + pane(app).size.height - 1,
            )


async def test_without_an_adapter_the_key_that_makes_one_is_named(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "5   train a run first" in text(app))
        await pilot.press("e", "enter", "y", "escape")
        await until(pilot, lambda: len(app._notifications) == 2)
        said = {note.message for note in app._notifications}
        assert said == {"No run has an adapter yet. Go to Run (5) to train one.", "There is no release yet."}


async def test_the_real_job_exports(home: Home, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "tiny")
    adapter = make_tiny_adapter(base, tmp_path / "adapter")
    with make_trained_project(home, base, adapter) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "not evaluated" in text(app))
        await pilot.press("e")
        await form_of(pilot)
        await pilot.press("enter")
        await in_time(pilot, lambda: "adapter_model.safetensors" in text(app))


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1_500, "1.5 kB"),
        (270_000_000, "270.0 MB"),
        (14_200_000_000, "14.2 GB"),
    ],
)
def test_sizes_are_read_at_a_glance(count: int | None, words: str) -> None:
    assert size(count) == words


def released(number: int, folder: str = "/r") -> Released:
    files = (ReleasedFile("adapter_model.safetensors", "ab" * 32, 5_000_000),)
    return Released(Release(number, "adapter", 1, folder, "ab" * 32, AT), folder, files)


def test_a_new_release_is_pointed_at() -> None:
    state = ReleaseState()
    state.take(ReleasePage((), (released(2), released(1))))
    state.move(2)  # no further than the last
    state.take(ReleasePage((), (released(2), released(1))))
    assert state.cursor == 1
    state.take(ReleasePage((), (released(3), released(2), released(1))))
    assert state.under_cursor == released(3)
    state.take(ReleasePage())
    assert state.under_cursor is None


@pytest.mark.parametrize("width", [50, 76, 88])
@pytest.mark.parametrize("card", [None, hostile("card " * 99)], ids=["list", "card"])
def test_no_line_is_wider_than_the_page_and_none_is_obeyed(width: int, card: str | None) -> None:
    stations = tuple(Station(name, "stale", 1, "of an older run") for name in STATIONS)
    view = View(Facts("p", "/p", ProjectSettings(), stations), None, width, 24)
    runs = tuple(
        Exportable(n, "done", 216, None, 1.0, n == 9, {"adapter": 9, "merged": None}, {"adapter": "", "merged": ""})
        for n in range(9, 0, -1)
    )
    state = ReleaseState(card=card)
    state.take(ReleasePage(runs, tuple(released(n, hostile("/x" * 99)) for n in range(12, 0, -1))))
    for line in draw(view, state, 0.0):
        assert line.cell_length <= width, line.plain
        assert not set(line.plain) & {"\x1b", "\x07", "\u202e", "\n"}
    job = JobView(1, "export")
    for event in (StateChanged("running"), Note(hostile("said " * 40)), Progress(3, 9, hostile("told " * 40))):
        job.apply(StampedEvent(0.0, event))
        assert all(line.cell_length <= width for line in draw(replace(view, job=job), state, 99.0))


def at_home(page: ReleasePage) -> ReleasePage:
    """The page with folders that are the same at each run, and adapters of a usual size."""
    places = {kind: f"/home/you/releases/run-1-{kind}" for kind in KINDS}
    weights: dict[ReleaseKind, int | None] = {"adapter": 9_400_000, "merged": 542_000_000, "gguf": 271_000_000}
    return ReleasePage(
        tuple(replace(run, bytes=weights, folders=places) for run in page.runs),
        tuple(replace(each, folder=f"/home/you/meridian-desk/{each.release.folder}") for each in page.releases),
    )


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize("name", ["empty", "ready", "asks", "gguf", "busy", "waits", "failed", "done", "card", "stale"])
@pytest.mark.usefixtures("still_meter")
def test_the_pane_looks_as_it_did(
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
            monkeypatch.setattr("tui.panes.release.pane.time", lambda: BEGAN + 12.0)
        if name == "waits":
            add_job(project, ExportOptions(1, "merged"), "waiting", [StateChanged("waiting", WAITS)], WAITS)
        if name == "failed":
            add_job(project, ExportOptions(1), "failed", [*events, StateChanged("failed", FULL)], FULL)
    if name == "stale":
        with Project.open(folder, home) as project:
            add_run(project, project.runs.get(1).dataset_sha256, done=True)
    app = DistillApp(home, folder)
    take = ReleaseState.take
    monkeypatch.setattr(ReleaseState, "take", lambda state, page: take(state, at_home(page)))

    async def settle(pilot: Pilot[int]) -> None:
        await opened(pilot, app)
        state = pane(app).state
        if name in ("asks", "gguf"):
            await pilot.press("e")
        if name == "gguf":
            await form_of(pilot)
            await pilot.press("left", "enter")
            await until(pilot, lambda: bool(app.screen.query("#field-llama-cpp")))
            await pilot.press("down")  # no cursor blinks there
        if name == "card":
            await pilot.press("enter")
            await until(pilot, lambda: state.card is not None)
        pane_found = app.screen.query(ReleasePane)
        if pane_found:
            pane_found.first().redraw()
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=settle)

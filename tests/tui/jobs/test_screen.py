"""The jobs screen: its list, notes and logs, the keys that control jobs, and snapshots."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from engine.jobs.control_file import read_command
from engine.jobs.launch import LOG_FILE
from engine.paths import Home
from engine.project import Project
from engine.records.job import Job
from engine.records.options import GenerateOptions, JobOptions
from tests.hostile import control_characters, hostile
from tests.tui.jobs.job_projects import FAILED_NOTE, WAITING_NOTE, make_jobs
from tests.tui.piloting import SIZES, open_app, settled, until, wait_for_toast, workspace
from tests.tui.seeds import AT, make_project
from tui.app import DistillApp
from tui.screens.jobs.drawing import draw
from tui.screens.jobs.screen import Jobs, JobsScreen
from tui.screens.jobs.state import JobsState
from tui.services.jobs import JobRow, read_jobs
from tui.widgets.page import Page


async def open_jobs(pilot: Pilot[int], app: DistillApp) -> None:
    await until(pilot, lambda: len(app.screen_stack) > 1 and workspace(app).state.facts is not None)
    await pilot.press("L")
    await until(pilot, lambda: isinstance(app.screen, JobsScreen) and jobs_view(app).state.rows is not None)


def jobs_view(app: DistillApp) -> Jobs:
    return app.screen.query_one(Jobs)


def text(app: DistillApp) -> str:
    return "\n".join(page.plain for page in app.screen.query(Page))


@pytest.mark.parametrize("size", SIZES)
async def test_live_jobs_come_first_and_the_selected_one_shows_its_note(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, make_jobs(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_jobs(pilot, app)
        assert "1 running, 1 waiting" in text(app)
        assert [row.job.id for row in jobs_view(app).state.rows or ()] == [4, 3, 5, 2, 1]
        assert WAITING_NOTE in text(app)
        await pilot.press("j")
        assert "▌ ●" in text(app)
        assert "88 of 216" in text(app)
        await pilot.press("j", "j")
        assert "Set OPENAI_API_KEY" in " ".join(text(app).split())
        await pilot.press("G")
        assert jobs_view(app).state.cursor == 4
        await pilot.press("j", "g")
        assert jobs_view(app).state.cursor == 0


async def test_keys_control_only_the_selected_job(home: Home) -> None:
    folder = make_jobs(home)
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_jobs(pilot, app)
        await pilot.press("x")  # the waiting job
        await until(pilot, lambda: read_command(folder / "jobs/4") == "stop")
        await until(pilot, lambda: "■" in text(app) and "stopping" in text(app))
        await pilot.press("j", "p")
        await until(pilot, lambda: read_command(folder / "jobs/3") == "pause")
        await pilot.press("G", "x")  # a finished job cannot be stopped
        await wait_for_toast(pilot, "Job 1 is done.")
        assert read_command(folder / "jobs/1") == "run"


async def test_stopped_job_is_resumed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[int] = []

    def resume(project: Project, job: Job) -> Job:
        resumed.append(job.id)
        return job

    monkeypatch.setattr("engine.jobs.control.resume", resume)
    app = open_app(home, make_jobs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_jobs(pilot, app)
        await pilot.press("j", "j", "r")
        await until(pilot, lambda: resumed == [5])


async def test_log_is_followed_and_shown_clean(home: Home) -> None:
    folder = make_jobs(home)
    log = folder / "jobs/4" / LOG_FILE
    log.write_text("".join(f"line {number}\n" for number in range(300)) + hostile("the end of it"))
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_jobs(pilot, app)
        await pilot.press("enter")
        await until(
            pilot, lambda: "line 299" in text(app) and jobs_view(app).scroll_y == jobs_view(app).max_scroll_y > 0
        )
        assert not control_characters(text(app))
        with log.open("a") as file:
            file.write("\nand one more")
        await until(
            pilot, lambda: "and one more" in text(app) and jobs_view(app).scroll_y == jobs_view(app).max_scroll_y
        )
        await pilot.press("g", "escape")
        await until(pilot, lambda: "1 running" in text(app))
        jobs_view(app).call_later(jobs_view(app)._show_log, 4, "late log")
        await pilot.pause()
        assert "1 running" in text(app)  # the log was closed
        jobs_view(app)._reads = 4
        await pilot.press("j")
        jobs_view(app).call_later(jobs_view(app)._show_log, 4, "log of the previous job")
        await pilot.pause()
        assert "1 running" in text(app)  # another job is selected
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, JobsScreen))


async def test_click_selects_a_job_and_second_click_opens_its_log(home: Home) -> None:
    app = open_app(home, make_jobs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_jobs(pilot, app)
        row = next(y for y, line in enumerate(text(app).splitlines()) if "generate" in line)
        await pilot.click(Jobs, offset=(20, row))
        await until(pilot, lambda: jobs_view(app).state.cursor == 3)
        row = next(y for y, line in enumerate(text(app).splitlines()) if "generate" in line)
        await pilot.click(Jobs, offset=(20, row))
        await until(pilot, lambda: "begins job 2" in text(app))


async def test_empty_list_explains_what_a_job_is(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_jobs(pilot, app)
        assert "everything that takes a while runs as a job" in text(app)
        await pilot.press("enter", "j", "y", "x")
        await until(pilot, lambda: {note.message for note in app._notifications} >= {"There is no job."})


async def test_note_of_a_job_is_copied(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(DistillApp, "copy_to_clipboard", lambda self, text: copied.append(text))
    app = open_app(home, make_jobs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_jobs(pilot, app)
        await pilot.press("j", "j", "j", "y")
        assert copied == [FAILED_NOTE]


def test_cursor_stays_on_its_job_when_the_list_changes(home: Home) -> None:
    with Project.open(make_jobs(home), home) as project:
        state = JobsState()
        state.take(read_jobs(project), 0.0)
        state.move(3)
        assert state.row is not None
        here = state.row.job.id
        options: JobOptions = GenerateOptions()
        project.jobs.add(options)
        assert state.take(read_jobs(project), 0.0)
        assert state.row.job.id == here
        assert not state.take(read_jobs(project), 0.0)
        assert not state.take(state.rows or (), 0.0)
        state.take((), 0.0)
        assert state.row is None


def test_running_time_is_extrapolated_between_reads_and_never_decreases() -> None:
    running = Job(1, "train", "running", "{}", "", "run")
    paused = Job(2, "train", "paused", "{}", "", "run")
    state = JobsState()

    def read(seconds: float, now: float) -> list[float]:
        state.take((JobRow(running, seconds), JobRow(paused, 7.0)), now)
        return [row.seconds for row in state.rows or ()]

    assert read(10.0, 100.0) == [10.0, 7.0]
    assert read(10.0, 103.0) == [13.0, 7.0]
    assert read(12.5, 103.5) == [13.5, 7.0], "it never decreases"
    assert read(20.0, 104.0) == [20.0, 7.0]


@pytest.mark.usefixtures("real_clock")
async def test_running_time_of_a_job_counts_up(home: Home) -> None:
    app = open_app(home, make_jobs(home))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_jobs(pilot, app)
        assert "8 min 32 s" in text(app)
        await until(pilot, lambda: "8 min 34 s" in text(app))


def test_columns_that_do_not_fit_are_dropped_whole() -> None:
    note = "Its process was killed."
    job = Job(2, "train", "lost", "{}", "", "run", note=note, created_at="2026-11-29T22:06:00+00:00")
    state = JobsState()
    state.take((JobRow(job, 512.0), JobRow(job, 512.0)), 0.0)

    def last(width: int) -> str:
        return draw(state, width)[-1].plain

    assert last(116).endswith("8 min 32 s  2026-11-29 22:06  Its process was killed.")
    assert last(78).endswith("8 min 32 s  2026-11-29 22:06")
    assert last(58).endswith("8 min 32 s")
    assert last(56).rstrip().endswith("killed"), "a time cut short would be misread"
    assert next(line.plain for line in draw(state, 56) if "state" in line.plain).endswith("done")


@pytest.mark.parametrize("width", [56, 76, 116])
def test_lines_fit_the_width_and_contain_no_control_codes(home: Home, width: int) -> None:
    state = JobsState()
    assert draw(state, width)
    job = Job(1, "train", "failed", "{}", "jobs/1", "run", note=hostile("why " * 200), created_at=hostile("x"))
    state.take((JobRow(job, 1e9), JobRow(job, 0.0, "stopping")), 0.0)
    for _ in range(2):
        for line in draw(state, width):
            assert line.cell_length <= width, line.plain
            assert not control_characters(line.plain, "")
        state.move(1)
    state.log = hostile("printed " * 99)
    assert all(line.cell_length <= width for line in draw(state, width))


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize("name", ["list", "failed", "log", "empty"])
@pytest.mark.usefixtures("fixed_meter")
def test_screen_matches_its_snapshot(
    snap_compare: Callable[..., bool], home: Home, monkeypatch: pytest.MonkeyPatch, name: str, size: tuple[int, int]
) -> None:
    monkeypatch.setattr("engine.store.jobs.now_text", lambda: AT)
    if name == "empty":
        with make_project(home) as project:
            folder = project.folder
    else:
        folder = make_jobs(home)
    app = open_app(home, folder)

    async def settle(pilot: Pilot[int]) -> None:
        await open_jobs(pilot, app)
        if name != "list":
            await pilot.press("j", "j", "j")
        if name == "log":
            await pilot.press("enter")
            await until(pilot, lambda: "begins job 2" in text(app))
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=settle)

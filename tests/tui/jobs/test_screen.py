"""The jobs screen: what is at work, what waits and why, what ended how, what each printed; its keys, its looks."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.jobs.launch import LOG_FILE
from engine.jobs.protocol import StateChanged
from engine.jobs.wishes import read_wish
from engine.paths import Home
from engine.project import Project
from engine.records.job import Job
from engine.records.options import (
    EvaluateOptions,
    ExportOptions,
    GenerateOptions,
    JobOptions,
    SynthesizeOptions,
    TrainOptions,
)
from tests.tui.piloting import SIZES, open_app, settled, until, workspace
from tests.tui.seeds import add_job, hostile, make_project
from tui.app import DistillApp
from tui.screens.jobs.drawing import draw
from tui.screens.jobs.screen import Jobs, JobsScreen
from tui.screens.jobs.state import JobsState
from tui.services.jobs import JobRow, LogRead, read_jobs
from tui.widgets.page import Page

AT = "2026-01-02T03:04:05+00:00"
KEY = "The endpoint refused the key. It said: invalid api key. Set OPENAI_API_KEY, then take the job up again."
WAITS = "job 3 (train) of meridian-desk holds cpu"


def make_jobs(home: Home) -> Path:
    """Five jobs: one works, one waits for it, one was stopped, one failed, one is done."""
    with make_project(home) as project:
        add_job(project, SynthesizeOptions(), "done", [StateChanged("done")])
        add_job(project, GenerateOptions(), "failed", [StateChanged("failed", KEY)], KEY)
        add_job(project, TrainOptions(1), "running", [StateChanged("running")])
        add_job(project, EvaluateOptions(1), "waiting", [StateChanged("waiting", WAITS)], WAITS)
        add_job(project, ExportOptions(1), "stopped", [StateChanged("stopped")])
        project.jobs.update(3, done=88, total=216)
        for number, seconds in ((1, 31.0), (2, 4.0), (3, 512.0)):
            project.jobs.keep_work(number, "run", seconds, 0)
        for job in project.jobs.all():
            (project.folder / job.folder / LOG_FILE).write_text(f"2026-01-02 process 71 begins job {job.id}\n")
        return project.folder


async def listed(pilot: Pilot[int], app: DistillApp) -> None:
    await until(pilot, lambda: len(app.screen_stack) > 1 and workspace(app).state.facts is not None)
    await pilot.press("L")
    await until(pilot, lambda: isinstance(app.screen, JobsScreen) and jobs(app).state.rows is not None)


def jobs(app: DistillApp) -> Jobs:
    return app.screen.query_one(Jobs)


def text(app: DistillApp) -> str:
    return "\n".join(page.plain for page in app.screen.query(Page))


@pytest.mark.parametrize("size", SIZES)
async def test_what_lives_comes_first_and_the_reason_stands_under_the_cursor(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, make_jobs(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await listed(pilot, app)
        assert "1 running, 1 waiting" in text(app)
        assert [row.job.id for row in jobs(app).state.rows or ()] == [4, 3, 5, 2, 1]
        assert WAITS in text(app)
        await pilot.press("j")
        assert "▌ ●" in text(app)
        assert "88 of 216" in text(app)
        await pilot.press("j", "j")
        assert "Set OPENAI_API_KEY" in " ".join(text(app).split())
        await pilot.press("G")
        assert jobs(app).state.cursor == 4
        await pilot.press("j", "g")
        assert jobs(app).state.cursor == 0


async def test_the_keys_steer_the_job_under_the_cursor_and_no_other(home: Home) -> None:
    folder = make_jobs(home)
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await listed(pilot, app)
        await pilot.press("x")  # the one that waits
        await until(pilot, lambda: read_wish(folder / "jobs/4") == "stop")
        await until(pilot, lambda: "■" in text(app) and "stopping" in text(app))
        await pilot.press("j", "p")
        await until(pilot, lambda: read_wish(folder / "jobs/3") == "pause")
        await pilot.press("G", "x")  # one that is done cannot be stopped, and that is said
        await until(pilot, lambda: any("Job 1 is done." in note.message for note in app._notifications))
        assert read_wish(folder / "jobs/1") == "run"


async def test_a_job_that_stopped_is_taken_up_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[int] = []

    def resume(project: Project, job: Job) -> Job:
        resumed.append(job.id)
        return job

    monkeypatch.setattr("engine.jobs.control.resume", resume)
    app = open_app(home, make_jobs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await listed(pilot, app)
        await pilot.press("j", "j", "r")
        await until(pilot, lambda: resumed == [5])


async def test_what_a_job_printed_is_read_as_it_grows_and_is_not_obeyed(home: Home) -> None:
    folder = make_jobs(home)
    log = folder / "jobs/4" / LOG_FILE
    log.write_text("".join(f"line {number}\n" for number in range(300)) + hostile("the end of it"))
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await listed(pilot, app)
        await pilot.press("enter")
        await until(pilot, lambda: "line 299" in text(app) and jobs(app).scroll_y == jobs(app).max_scroll_y > 0)
        assert not set(text(app)) & {"\x1b", "\x07", "\u202e"}
        with log.open("a") as file:
            file.write("\nand one more")
        await until(pilot, lambda: "and one more" in text(app) and jobs(app).scroll_y == jobs(app).max_scroll_y)
        await pilot.press("g", "escape")
        await until(pilot, lambda: "1 running" in text(app))
        jobs(app).post_message(LogRead(4, "what comes late"))
        await pilot.pause()
        assert "1 running" in text(app)  # it was left
        jobs(app)._reads = 4
        await pilot.press("j")
        jobs(app).post_message(LogRead(4, "of the job above"))
        await pilot.pause()
        assert "1 running" in text(app)  # another is pointed at
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, JobsScreen))


async def test_a_click_goes_to_a_job_and_another_opens_its_log(home: Home) -> None:
    app = open_app(home, make_jobs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await listed(pilot, app)
        row = next(y for y, line in enumerate(text(app).splitlines()) if "generate" in line)
        await pilot.click(Jobs, offset=(20, row))
        await until(pilot, lambda: jobs(app).state.cursor == 3)
        row = next(y for y, line in enumerate(text(app).splitlines()) if "generate" in line)
        await pilot.click(Jobs, offset=(20, row))
        await until(pilot, lambda: "begins job 2" in text(app))


async def test_without_a_job_it_says_what_one_is(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await listed(pilot, app)
        assert "everything that takes a while runs as a job" in text(app)
        await pilot.press("enter", "j", "x", "y")
        await until(pilot, lambda: {note.message for note in app._notifications} >= {"There is no job."})


async def test_why_a_job_ended_can_be_copied(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(DistillApp, "copy_to_clipboard", lambda self, words: copied.append(words))
    app = open_app(home, make_jobs(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await listed(pilot, app)
        await pilot.press("j", "j", "j", "y")
        assert copied == [KEY]


def test_the_cursor_stays_with_its_job(home: Home) -> None:
    with Project.open(make_jobs(home), home) as project:
        state = JobsState()
        state.take(read_jobs(project).rows, 0.0)
        state.move(3)
        assert state.row is not None
        here = state.row.job.id
        options: JobOptions = GenerateOptions()
        project.jobs.add(options)
        assert state.take(read_jobs(project).rows, 0.0)
        assert state.row.job.id == here
        assert not state.take(read_jobs(project).rows, 0.0)
        assert not state.take(state.rows or (), 0.0)
        state.take((), 0.0)
        assert state.row is None


def test_how_long_a_job_has_worked_goes_on_until_it_is_kept_anew() -> None:
    at_work, rests = (Job(number, "train", state, "{}", "", "run") for number, state in ((1, "running"), (2, "paused")))
    state = JobsState()

    def read(seconds: float, now: float) -> list[float]:
        state.take((JobRow(at_work, seconds), JobRow(rests, 7.0)), now)
        return [row.seconds for row in state.rows or ()]

    assert read(10.0, 100.0) == [10.0, 7.0]
    assert read(10.0, 103.0) == [13.0, 7.0]
    assert read(12.5, 103.5) == [13.5, 7.0], "it never goes back"
    assert read(20.0, 104.0) == [20.0, 7.0]


@pytest.mark.usefixtures("moving_clock")
async def test_the_seconds_of_a_job_at_work_pass(home: Home) -> None:
    app = open_app(home, make_jobs(home))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await listed(pilot, app)
        assert "8 min 32 s" in text(app)
        await until(pilot, lambda: "8 min 34 s" in text(app))


def test_columns_stand_whole_or_not_at_all_and_apart() -> None:
    note = "Its process was killed."
    job = Job(2, "train", "lost", "{}", "", "run", note=note, created_at="2026-11-29T22:06:00+00:00")
    state = JobsState()
    state.take((JobRow(job, 512.0), JobRow(job, 512.0)), 0.0)

    def last(width: int) -> str:
        return draw(state, width)[-1].plain

    assert last(116).endswith("8 min 32 s  2026-11-29 22:06  Its process was killed.")
    assert last(78).endswith("8 min 32 s  2026-11-29 22:06")
    assert last(58).endswith("8 min 32 s")
    assert last(56).rstrip().endswith("killed"), "what is cut would be read as another time"
    assert next(line.plain for line in draw(state, 56) if "state" in line.plain).endswith("done")


@pytest.mark.parametrize("width", [56, 76, 116])
def test_no_line_is_wider_than_the_page_and_none_is_obeyed(home: Home, width: int) -> None:
    state = JobsState()
    assert draw(state, width)
    job = Job(1, "train", "failed", "{}", "jobs/1", "run", note=hostile("why " * 200), created_at=hostile("x"))
    state.take((JobRow(job, 1e9), JobRow(job, 0.0, ending=True)), 0.0)
    for _ in range(2):
        for line in draw(state, width):
            assert line.cell_length <= width, line.plain
            assert not set(line.plain) & {"\x1b", "\x07", "\u202e", "\n"}
        state.move(1)
    state.log = hostile("printed " * 99)
    assert all(line.cell_length <= width for line in draw(state, width))


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize("name", ["list", "failed", "log", "empty"])
@pytest.mark.usefixtures("still_meter")
def test_the_screen_looks_as_it_did(
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
        await listed(pilot, app)
        if name != "list":
            await pilot.press("j", "j", "j")
        if name == "log":
            await pilot.press("enter")
            await until(pilot, lambda: "begins job 2" in text(app))
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=settle)

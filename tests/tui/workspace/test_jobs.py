"""The running job around the panes: its state, failures, progress, and the keys that control it."""

from threading import Event
from time import monotonic

import pytest

from engine.errors import StoreError
from engine.jobs.control_file import read_command
from engine.jobs.follow import MAX_BYTES_A_READ, Follower
from engine.jobs.log import EventLog
from engine.jobs.protocol import AnswerDelta, PromptRead, StampedEvent, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.options import GenerateOptions, TrainOptions
from engine.records.prompt import Message, Prompt
from engine.records.station import STATIONS
from tests.tui.piloting import (
    SIZES,
    facts_of,
    footer,
    open_app,
    pane_text,
    shown,
    toast_text,
    until,
    wait_for_pane,
    wait_for_toast,
    workspace,
)
from tests.tui.seeds import PROMPT, add_job, answering_events, make_project, make_stage
from tui.actions import PANE_KEYS
from tui.app import DistillApp
from tui.panes.examples.pane import ExamplesPane
from tui.screens.workspace.header import Header
from tui.screens.workspace.rail import Rail, Spine
from tui.screens.workspace.trouble import Trouble
from tui.services.follower import JobEvents
from tui.services.job_view import JobView
from tui.widgets.page import Page


@pytest.mark.parametrize("size", SIZES)
async def test_running_generation_is_followed_and_number_keys_show_stations(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, make_stage(home, "generating"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: "RISK SCORE: 3. Please" in pane_text(app))
        assert shown(app) == "examples"
        for number, name in enumerate(STATIONS, 1):
            await pilot.press(str(number))
            assert shown(app) == name
        await pilot.press("K")
        assert shown(app) == "evaluation"
        await pilot.press("w")
        assert shown(app) == "examples"


async def test_generation_that_answers_an_older_prompt_is_named_on_every_pane(home: Home) -> None:
    with make_project(home) as project:
        events = [StateChanged("running"), PromptRead(PROMPT.sha256), *answering_events()[2:]]
        add_job(project, GenerateOptions(), "running", events)
        folder = project.folder
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "57 of 480" in pane_text(app))
        notice = app.screen.query_one(Trouble)
        assert not notice.display
        with Project.open(folder, home) as project:
            project.prompts.set(Prompt((Message("system", "Answer for another bank."),)))
        await until(pilot, lambda: notice.display)
        assert notice.plain == "! generate still answers an older version of the prompt; x stops it"
        await pilot.press("1")
        assert notice.display
        with Project.open(folder, home) as project:
            project.prompts.set(PROMPT)
        await until(pilot, lambda: not notice.display)


async def test_pause_and_stop_keys_send_requests_to_the_job(home: Home) -> None:
    folder = make_stage(home, "generating")
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "examples")
        with Project.open(folder, home) as project:
            job_folder = folder / project.jobs.all()[0].folder
        await pilot.press("p")
        await until(pilot, lambda: read_command(job_folder) == "pause")
        await pilot.press("x")
        await until(pilot, lambda: read_command(job_folder) == "stop")


@pytest.mark.parametrize("size", SIZES)
async def test_stopping_job_is_shown_until_it_has_stopped(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "training")
    app = open_app(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: "step 88" in pane_text(app))
        with Project.open(folder, home) as project:
            job = project.jobs.all()[0]
            assert "stopping" not in page_text(app)
            await pilot.press("x")
            await until(pilot, lambda: read_command(folder / job.folder) == "stop")
            await until(pilot, lambda: "■ stopping   at its next safe point; then r resumes it" in pane_text(app))
            assert "■ demo   stopping" in app.screen.query_one(Header).plain
            stations = app.screen.query_one(Rail if size[0] >= 100 else Spine).plain
            assert ("■  stopping" if size[0] >= 100 else "■run") in stations
            assert "x stop" not in stations
            assert " left" not in page_text(app)
            assert "Job 1 will stop at its next safe point. r resumes it." in toast_text(app)
            for key in ("x", "p", "b"):
                app.clear_notifications()
                await pilot.press(key)
                await until(
                    pilot, lambda: [note.message for note in app._notifications] == ["Job 1 is already stopping."]
                )
            assert read_command(folder / job.folder) == "stop"
            project.jobs.update(job.id, state="stopped")
        await until(pilot, lambda: "■ demo   stopped" in page_text(app) and "stopping" not in page_text(app))
        assert shown(app) == "run"


@pytest.mark.parametrize("size", SIZES)
async def test_pausing_job_is_shown_until_paused_and_then_the_resume_key(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "training")
    app = open_app(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: "step 88" in pane_text(app))
        await until(pilot, lambda: "p pause" in footer(app))
        with Project.open(folder, home) as project:
            job = project.jobs.all()[0]
            await pilot.press("p")
            await until(pilot, lambda: read_command(folder / job.folder) == "pause")
            await until(pilot, lambda: "‖ pausing   at its next safe point; r lets it continue" in pane_text(app))
            assert "‖ demo   pausing" in app.screen.query_one(Header).plain
            assert "p pause" not in app.screen.query_one(Rail).plain
            await pilot.press("L")
            await until(pilot, lambda: "pausing" in page_text(app))
            await until(pilot, lambda: "p resume" in footer(app))
            project.jobs.update(job.id, state="paused")
            await until(pilot, lambda: "p resume" in footer(app))
            await pilot.press("escape")
            with EventLog(folder / job.folder) as log:
                log.append(StateChanged("paused"))
        await until(pilot, lambda: "‖ demo   paused" in page_text(app) and "pausing" not in page_text(app))
        await until(pilot, lambda: "p resume" in footer(app))


def watched(app: DistillApp) -> JobView:
    """Return what the workspace knows of the job that it watches."""
    job = workspace(app).state.job
    assert job is not None
    return job


def page_text(app: DistillApp) -> str:
    """Return the text of all pages on the screen, without toasts."""
    return "\n".join(page.plain for page in app.screen.query(Page))


async def test_failed_request_can_be_repeated(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_app(home, make_stage(home, "generating"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "examples")
        monkeypatch.setattr("engine.jobs.control.write_command", lambda _folder, _command: raise_busy(None))
        for _ in range(2):
            app.clear_notifications()
            await pilot.press("x")
            await wait_for_toast(pilot, "Another process writes.")
        assert "already stopping" not in toast_text(app)


async def test_pane_is_drawn_at_most_ten_times_per_second(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    draw = ExamplesPane.draw
    monkeypatch.setattr(ExamplesPane, "draw", lambda pane, view: drawn.append(monotonic()) or draw(pane, view))
    app = open_app(home, make_stage(home, "generating"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "57 of 480" in pane_text(app))
        screen = workspace(app)
        drawn.clear()
        started = monotonic()
        for number in range(200):
            event = StampedEvent(0.0, AnswerDelta("12/0", f" word {number}"))
            screen.post_message(JobEvents(watched(app).job_id, [event]))
            await pilot.pause(0.005)
        took = monotonic() - started
        await until(pilot, lambda: "word 199" in watched(app).streams["12/0"].text and len(drawn) > 2)
    assert took > 0.9
    assert len([at for at in drawn if at < started + took]) <= 10 * took


async def test_outdated_progress_is_not_shown_while_the_log_is_read(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_stage(home, "generating")
    released, read_new = Event(), Follower.read_new

    def slow(self: Follower, max_bytes: int = MAX_BYTES_A_READ) -> list[StampedEvent]:
        events = read_new(self, 2048)
        assert not self.offset > 2048 or released.wait(20)
        return events

    monkeypatch.setattr(Follower, "read_new", slow)
    app = open_app(home, folder)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: workspace(app).state.facts is not None)
        first = facts_of(app)
        with Project.open(folder, home) as project:
            project.jobs.update(1, done=58)
        await until(pilot, lambda: facts_of(app) is not first)
        workspace(app)._draw()
        await pilot.pause()
        assert "57 of 480" not in pane_text(app)
        released.set()
        await until(pilot, lambda: "57 of 480" in pane_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_failure_is_explained_only_at_its_station(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, make_stage(home, "failed"))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: shown(app) == "examples" and "resumes it" in pane_text(app))
        trouble = app.screen.query_one(Trouble)
        full_text = trouble.plain
        assert full_text.count("\n") >= 1
        for pane in ("prompt", "chat"):
            await pilot.press(PANE_KEYS[pane])
            await wait_for_pane(pilot, pane)
            await until(pilot, lambda: not trouble.display)
            assert "✗ generate   failed" in app.screen.query_one(Header).plain
        await pilot.press("3")
        await until(pilot, lambda: trouble.plain == full_text)


@pytest.mark.parametrize("size", SIZES)
async def test_reason_of_a_failure_uses_the_whole_width(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "generating")
    app = open_app(home, folder)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: shown(app) == "examples")
        with Project.open(folder, home) as project:
            project.jobs.update(1, state="failed", note="word " * 60)
        await until(pilot, lambda: "resumes it" in pane_text(app))
        await pilot.pause()
        trouble = app.screen.query_one(Trouble)
        _head, *rows, _last = trouble.rows
        assert rows
        assert all(trouble.content_size.width - len(row.rstrip()) < len(" word") for row in rows)


async def test_failed_job_shows_the_reason_and_can_be_resumed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[int] = []
    monkeypatch.setattr("engine.jobs.control.resume", lambda _project, job: resumed.append(job.id))
    app = open_app(home, make_stage(home, "failed"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "The endpoint refused the key." in pane_text(app))
        assert "r resumes it" in pane_text(app)
        await pilot.press("r")
        await until(pilot, lambda: resumed == [1])


async def test_failed_job_can_be_put_aside(home: Home) -> None:
    folder = make_stage(home, "failed")
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "x puts it aside" in pane_text(app))
        await pilot.press("x")
        await until(pilot, lambda: not app.screen.query_one(Trouble).display)
        assert "✗" not in app.screen.query_one(Header).plain
    with Project.open(folder, home) as project:
        assert [job.state for job in project.jobs.all()] == ["stopped"]


async def test_killed_job_is_shown_as_killed(home: Home) -> None:
    folder = make_stage(home, "generating")
    with Project.open(folder, home) as project:
        job = project.jobs.all()[0]
        project.jobs.update(job.id, pid=2**22 + 1, started_at="2020-01-01T00:00:00+00:00")
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "was killed" in pane_text(app))


async def test_resumed_job_is_shown_as_running_before_its_log_says_so(home: Home) -> None:
    folder = make_stage(home, "failed")
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "r resumes it" in pane_text(app))
        with Project.open(folder, home) as project:
            project.jobs.update(project.jobs.all()[0].id, state="running")
        await until(pilot, lambda: "r resumes it" not in pane_text(app))
        assert watched(app).live


@pytest.mark.usefixtures("real_clock", "fixed_meter")
async def test_time_left_counts_down_without_new_events(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "generating"))
    async with app.run_test(size=(120, 40)) as pilot:
        header = app.screen.query_one(Header)
        await until(pilot, lambda: "2 min 14 s left" in header.plain)
        await until(pilot, lambda: "2 min 12 s left" in header.plain and "2 min 12 s left" in pane_text(app))


def raise_busy(_project: Project | None) -> None:
    raise StoreError("The project is busy.", "Another process writes.", "Wait.")


async def test_job_of_a_run_that_is_trained_already_is_not_resumed(home: Home) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        job = project.jobs.add(TrainOptions(1))
        project.jobs.update(job.id, state="stopped")
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "run")
        await pilot.press("r")
        await wait_for_toast(pilot, "Run 1 is already trained.")
    with Project.open(folder, home) as project:
        assert project.jobs.get(job.id).state == "stopped"

"""The app by its keys, over real projects."""

from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from textual.command import CommandList

from engine.errors import StoreError
from engine.jobs.follow import MAX_BYTES_A_READ, Follower
from engine.jobs.log import EventLog
from engine.jobs.protocol import AnswerDelta, StampedEvent, StateChanged
from engine.jobs.wishes import read_wish
from engine.paths import Home
from engine.project import Project
from engine.records.station import STATIONS
from tests.tui.piloting import SIZES, facts_of, footer, open_app, pane_text, shown, until, workspace
from tests.tui.seeds import make_project, make_stage
from tui.actions import PANE_KEYS
from tui.app import DistillApp
from tui.palette import Palette
from tui.panes.chat.question import QuestionField
from tui.panes.examples.pane import ExamplesPane
from tui.panes.pane import Pane
from tui.screens.curate.narrow import NarrowScreen
from tui.screens.help.screen import HelpScreen
from tui.screens.start.screen import StartScreen
from tui.screens.workspace.header import Header
from tui.screens.workspace.rail import Rail, Spine
from tui.screens.workspace.screen import READ_EVERY_S, WorkspaceScreen
from tui.screens.workspace.trouble import Trouble
from tui.services.follower import JobEvents
from tui.widgets.footer import Footer
from tui.widgets.line import Line
from tui.widgets.page import Page


def listed(app: DistillApp) -> int:
    return len(app.screen.state.rows) if isinstance(app.screen, StartScreen) else 0


@pytest.mark.parametrize("size", SIZES)
async def test_a_running_generation_is_followed_and_stations_are_reached_by_number(
    home: Home, size: tuple[int, int]
) -> None:
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


async def test_every_empty_pane_names_the_command_that_comes_next(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        commands = {3: "generate", 4: "curate freeze", 5: "train", 6: "evaluate", 7: "export"}
        for number, command in commands.items():
            await pilot.press(str(number))
            await until(pilot, lambda command=command: f"distill-tui {command}" in pane_text(app))


async def test_pause_stop_and_resume_are_wishes_to_the_job(home: Home) -> None:
    folder = make_stage(home, "generating")
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "examples")
        with Project.open(folder, home) as project:
            job_folder = folder / project.jobs.all()[0].folder
        await pilot.press("p")
        await until(pilot, lambda: read_wish(job_folder) == "pause")
        await pilot.press("x")
        await until(pilot, lambda: read_wish(job_folder) == "stop")


@pytest.mark.parametrize("size", SIZES)
async def test_that_a_job_is_ending_is_told_until_it_has(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "training")
    app = open_app(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: "step 88" in pane_text(app))
        with Project.open(folder, home) as project:
            job = project.jobs.all()[0]
            assert "stopping" not in whole(app)
            await pilot.press("x")
            await until(pilot, lambda: read_wish(folder / job.folder) == "stop")
            await until(pilot, lambda: "■ stopping   at its next safe point; then r resumes it" in pane_text(app))
            assert "■ demo   stopping" in app.screen.query_one(Header).plain
            beside = app.screen.query_one(Rail if size[0] >= 100 else Spine).plain
            assert ("■  stopping" if size[0] >= 100 else "■run") in beside
            assert "x ends" not in beside
            assert " left" not in whole(app)
            assert "Job 1 will stop at its next safe point. r resumes it." in told(app)
            for key in ("x", "p", "b"):
                app.clear_notifications()
                await pilot.press(key)
                await until(pilot, lambda: told(app) == "Job 1 is already stopping.")
            assert read_wish(folder / job.folder) == "stop"
            project.jobs.update(job.id, state="stopped")
        await until(pilot, lambda: "■ demo   stopped" in whole(app) and "stopping" not in whole(app))
        assert shown(app) == "run"


@pytest.mark.parametrize("size", SIZES)
async def test_that_a_job_is_pausing_is_told_until_it_does_and_then_the_key_that_goes_on(
    home: Home, size: tuple[int, int]
) -> None:
    folder = make_stage(home, "training")
    app = open_app(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: "step 88" in pane_text(app))
        await until(pilot, lambda: "p pause" in footer(app))
        with Project.open(folder, home) as project:
            job = project.jobs.all()[0]
            await pilot.press("p")
            await until(pilot, lambda: read_wish(folder / job.folder) == "pause")
            await until(pilot, lambda: "‖ pausing   at its next safe point; then r resumes it" in pane_text(app))
            assert "‖ demo   pausing" in app.screen.query_one(Header).plain
            assert "p pause" not in app.screen.query_one(Rail).plain
            await pilot.press("L")
            await until(pilot, lambda: "pausing" in whole(app))
            assert "p pause" in footer(app)
            project.jobs.update(job.id, state="paused")
            await until(pilot, lambda: "p resume" in footer(app))
            await pilot.press("escape")
            with EventLog(folder / job.folder) as log:
                log.append(StateChanged("paused"))
        await until(pilot, lambda: "‖ demo   paused" in whole(app) and "pausing" not in whole(app))
        await until(pilot, lambda: "p resume" in footer(app))


def whole(app: DistillApp) -> str:
    """All that is on the screen, but what pops up over it."""
    return "\n".join(page.plain for page in app.screen.query(Page))


async def test_a_wish_that_could_not_be_written_can_be_made_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_app(home, make_stage(home, "generating"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "examples")
        monkeypatch.setattr("engine.jobs.control.write_wish", lambda _folder, _wish: busy(None))
        for _ in range(2):
            app.clear_notifications()
            await pilot.press("x")
            await until(pilot, lambda: "Another process writes." in told(app))
        assert "ending already" not in told(app)


def told(app: DistillApp) -> str:
    """All that popped up."""
    return "\n".join(note.message for note in app._notifications)


async def test_however_fast_a_job_speaks_its_pane_is_drawn_ten_times_a_second_at_most(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []
    draw = ExamplesPane.draw
    monkeypatch.setattr(ExamplesPane, "draw", lambda pane, view: drawn.append(monotonic()) or draw(pane, view))
    app = open_app(home, make_stage(home, "generating"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "57 of 480" in pane_text(app))
        screen = workspace(app)
        assert screen.state.job is not None
        drawn.clear()
        begun = monotonic()
        for number in range(200):
            event = StampedEvent(0.0, AnswerDelta("12/0", f" word {number}"))
            screen.post_message(JobEvents(screen.state.job.job_id, [event]))
            await pilot.pause(0.005)
        took = monotonic() - begun
        await until(pilot, lambda: "word 199" in screen.state.job.streams["12/0"].text and len(drawn) > 2)
    assert took > 0.9
    assert len([at for at in drawn if at < begun + took]) <= 10 * took


async def test_how_far_a_job_was_once_is_not_shown_while_its_log_is_read(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_stage(home, "generating")
    go_on, read_new = Event(), Follower.read_new

    def slow(self: Follower, max_bytes: int = MAX_BYTES_A_READ) -> list[StampedEvent]:
        events = read_new(self, 2048)
        assert not self.offset > 2048 or go_on.wait(20)
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
        go_on.set()
        await until(pilot, lambda: "57 of 480" in pane_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_a_failure_takes_one_line_of_any_pane_but_its_own(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, make_stage(home, "failed"))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: shown(app) == "examples" and "resumes it" in pane_text(app))
        trouble = app.screen.query_one(Trouble)
        whole = trouble.plain
        assert whole.count("\n") >= 1
        for pane in ("prompt", "chat"):
            await pilot.press(PANE_KEYS[pane])
            await until(pilot, lambda: trouble.plain.endswith("resumes it, 3 shows why"))
            assert "\n" not in trouble.plain
        await pilot.press("3")
        await until(pilot, lambda: trouble.plain == whole)


async def test_a_failed_job_says_why_and_what_to_do(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    taken_up: list[int] = []
    monkeypatch.setattr("engine.jobs.control.resume", lambda _project, job: taken_up.append(job.id))
    app = open_app(home, make_stage(home, "failed"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "The endpoint refused the key." in pane_text(app))
        assert "r resumes it" in pane_text(app)
        await pilot.press("r")
        await until(pilot, lambda: taken_up == [1])


async def test_a_job_that_was_killed_is_shown_as_such(home: Home) -> None:
    folder = make_stage(home, "generating")
    with Project.open(folder, home) as project:
        job = project.jobs.all()[0]
        project.jobs.update(job.id, pid=2**22 + 1, started_at="2020-01-01T00:00:00+00:00")
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "was killed" in pane_text(app))


async def test_the_start_screen_lists_projects_and_comes_back(home: Home) -> None:
    make_stage(home, "done")
    app = open_app(home, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("o")
        await until(pilot, lambda: listed(app) == 1)
        await pilot.press("enter")
        await until(pilot, lambda: shown(app) == "evaluation")


async def test_without_a_project_the_start_screen_offers_the_demo(home: Home) -> None:
    app = open_app(home, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "No projects yet." in app.screen.query_one("#listed", Page).plain)


async def test_help_opens_over_the_screen_and_closes(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))


async def test_help_opens_where_a_letter_is_a_letter_and_tells_of_what_has_the_keys(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        for keys in ("2 slash", "c slash", "escape escape o slash"):
            await pilot.press(*keys.split(), "question_mark")
            await until(pilot, lambda: isinstance(app.focused, Line) and app.focused.value == "?")
            await until(pilot, lambda: "enter done   esc cancel" in app.screen.query_one(Footer).render().plain)
            await pilot.press("f1")
            await until(pilot, lambda: isinstance(app.screen, HelpScreen))
            assert app.screen.query_one(Page).plain.startswith("Words")
            await pilot.press("f1", "escape")
            await until(pilot, lambda: "enter done" not in app.screen.query_one(Footer).render().plain)
        await until(pilot, lambda: listed(app) == 1)
        await pilot.press("enter")
        await until(pilot, lambda: shown(app) == "questions")
        await pilot.press("9", "i")
        await until(pilot, lambda: isinstance(app.focused, QuestionField))
        await pilot.press("question_mark", "f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert app.screen.query_one(Page).plain.startswith("Asking")
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.focused, QuestionField))
        assert app.focused.text == "?"


async def test_ctrl_c_says_which_key_leaves(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("ctrl+c")
        await until(
            pilot, lambda: [each.message for each in app._notifications] == ["Press ^q to quit. Running jobs continue."]
        )
        await pilot.press("ctrl+q")
    assert app.return_code == 0


async def test_another_project_takes_the_place_of_all_that_lies_over_the_first(home: Home) -> None:
    with Project.create(home.projects / "refunds", home=home) as project:
        other = project.folder
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("c", "F")
        await until(pilot, lambda: isinstance(app.screen, NarrowScreen))
        app.show_project(other)
        await until(pilot, lambda: shown(app) == "prompt")
        assert sum(isinstance(screen, WorkspaceScreen) for screen in app.screen_stack) == 1


async def test_a_folder_without_a_project_is_told_in_words(home: Home, tmp_path: Path) -> None:
    app = open_app(home, tmp_path / "nothing")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "There is no" in pane_text(app) or "not" in pane_text(app))
        assert app.is_running


async def test_quitting_leaves_the_status_of_done(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("q")
    assert app.return_code == 0


@pytest.mark.parametrize("key", "1234567")
async def test_hostile_text_is_shown_and_never_obeyed(home: Home, key: str) -> None:
    app = open_app(home, make_stage(home, "hostile"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press(key)
        await pilot.pause(0.3)
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in text)
        assert "\u202e" not in text
        assert app.is_running
        if key in "13":
            assert "[@click=app.quit]" in text


async def test_a_job_that_was_taken_up_again_is_running_before_its_log_says_so(home: Home) -> None:
    folder = make_stage(home, "failed")
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "r resumes it" in pane_text(app))
        with Project.open(folder, home) as project:
            project.jobs.update(project.jobs.all()[0].id, state="running")
        await until(pilot, lambda: "r resumes it" not in pane_text(app))
        assert app.screen.state.job.live


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keys", [("ctrl+o", "1", "2", "3"), ("ctrl+p", *"prompt", "enter", "enter", "enter")])
async def test_keys_that_come_faster_than_a_screen_goes_take_away_no_other(
    home: Home, keys: tuple[str, ...], size: tuple[int, int]
) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation" and bool(app.screen.query(Pane)))
        app.simulate_key(keys[0])
        await until(pilot, lambda: len(app.screen_stack) == 3)
        await pilot.pause(0.5)
        for key in keys[1:]:
            app.simulate_key(key)
        await until(pilot, lambda: len(app.screen_stack) < 3)
        await pilot.pause(0.5)
        assert workspace(app).is_active


@pytest.mark.parametrize("key", ["slash", "0"])
async def test_a_key_may_come_before_the_prompt_is_drawn(home: Home, key: str) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation" and bool(app.screen.query(Pane)))
        app.simulate_key("1")
        app.simulate_key(key)
        await until(pilot, lambda: "You answer for Meridian" in pane_text(app))


async def test_a_palette_that_has_found_nothing_yet_has_no_pages(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, Palette)
        app.screen.query_one(CommandList).clear_options()
        await pilot.press("pageup", "pagedown", "escape")
        await until(pilot, lambda: workspace(app).is_active)


@pytest.mark.parametrize("size", SIZES)
async def test_that_the_project_cannot_be_read_stands_above_the_pane_until_it_can(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation" and bool(app.screen.query(Pane)))
        with monkeypatch.context() as patch:
            patch.setattr("tui.services.reading.mark_lost_jobs", busy)
            await until(pilot, lambda: "Another process writes." in pane_text(app))
            await pilot.pause(2.5 * READ_EVERY_S)
            assert "Evaluation" in pane_text(app)
        await until(pilot, lambda: "Another process writes." not in pane_text(app))
        assert not app._notifications, "one each second would cover the page"


@pytest.mark.usefixtures("moving_clock", "still_meter")
async def test_the_time_left_passes_while_a_job_tells_nothing(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "generating"))
    async with app.run_test(size=(120, 40)) as pilot:
        header = app.screen.query_one(Header)
        await until(pilot, lambda: "2 min 14 s left" in header.plain)
        await until(pilot, lambda: "2 min 12 s left" in header.plain and "2 min 12 s left" in pane_text(app))


def busy(_project: Project | None) -> None:
    raise StoreError("The project is busy.", "Another process writes.", "Wait.")

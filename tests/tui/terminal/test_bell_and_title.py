"""The bell and the window title, which signal the end of long work, and the message shown on quitting."""

from pathlib import Path

import pytest
from textual import events

from engine.errors import JobError
from engine.paths import Home
from engine.project import Project
from engine.records.job import Job, JobState
from tests.tui.piloting import facts_of, shown, until, workspace
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.panes.dataset.pane import DatasetPane
from tui.services import program
from tui.services.dataset import FREEZE
from tui.services.program import Answer, Program
from tui.services.questions import IMPORT
from tui.settings import Bell, Settings
from tui.terminal.notice import BELL, BRING_TITLE_BACK, KEEP_TITLE, LONG_COMMANDS, Endings, parting, rings, title, words


def job(id: int, state: JobState) -> Job:
    return Job(id, "train", state, "{}", f"jobs/{id}", "run")


def test_endings_are_reported_only_for_jobs_seen_alive() -> None:
    endings = Endings()
    assert endings.read([job(1, "done"), job(2, "running"), job(3, "waiting")]) == []
    assert endings.read([job(1, "done"), job(2, "failed"), job(3, "running")]) == [job(2, "failed")]
    assert endings.read([job(1, "done"), job(2, "failed"), job(3, "paused")]) == []
    assert endings.read([job(3, "done")]) == [job(3, "done")]


@pytest.mark.parametrize(
    ("bell", "looked_at", "expected"),
    [
        ("off", False, False),
        ("off", True, False),
        ("blur", False, True),
        ("blur", True, False),
        ("always", False, True),
        ("always", True, True),
    ],
)
def test_bell_rings_according_to_the_setting(bell: Bell, looked_at: bool, expected: bool) -> None:
    assert rings(bell, looked_at=looked_at) is expected


def test_title_is_one_clean_line() -> None:
    sequence = title(words("desk\x1b]0;evil\x07\n", job(1, "failed")))
    assert sequence == "\x1b]2;desk␛]0;evil␇ : train failed\x07"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(DistillApp, "send", lambda self, text: found.append(text))
    return found


def newest_state(app: DistillApp) -> str:
    job = facts_of(app).newest_job
    return job.state if job is not None else ""


@pytest.mark.parametrize(
    ("bell", "looks_away", "notified"), [("blur", True, True), ("blur", False, False), ("off", True, False)]
)
async def test_ended_job_rings_and_sets_the_title_until_focus_returns(
    home: Home, sent: list[str], bell: Bell, looks_away: bool, notified: bool
) -> None:
    folder = make_stage(home, "generating")
    app = DistillApp(home, folder, Settings(bell=bell))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "examples")
        if looks_away:
            app.post_message(events.AppBlur())
            await until(pilot, lambda: not app.app_focus)
        with Project.open(folder, home) as project:
            project.jobs.update(project.jobs.all()[0].id, state="done")
        await until(pilot, lambda: newest_state(app) == "done")
        await pilot.pause()
        if not notified:
            assert not sent
            return
        await until(pilot, lambda: len(sent) == 2)
        assert sent[0] == BELL
        assert sent[1].startswith(f"{KEEP_TITLE}\x1b]2;meridian-desk: ")
        assert sent[1].endswith("is done\x07")
        app.post_message(events.AppFocus())
        await until(pilot, lambda: sent[-1] == BRING_TITLE_BACK)
    assert sent.count(BRING_TITLE_BACK) == 1


async def test_quitting_restores_the_title(home: Home, sent: list[str]) -> None:
    folder = make_stage(home, "generating")
    app = DistillApp(home, folder, Settings(bell="always"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "examples")
        with Project.open(folder, home) as project:
            project.jobs.update(project.jobs.all()[0].id, state="failed")
        await until(pilot, lambda: BELL in sent)
    assert sent[-1] == BRING_TITLE_BACK


async def test_long_commands_ring_when_they_end(home: Home, sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Answer:
        raise JobError("It broke.", "", "")

    app = DistillApp(home, make_stage(home, "done"), Settings(bell="always"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("4")
        await until(pilot, lambda: shown(app) == "dataset")
        pane = app.screen.query_one(DatasetPane)
        commands = Program(workspace(app).store.folder, home, pane)
        monkeypatch.setattr(program, "carry_out", fail)
        for name in ("split", FREEZE):  # the first is not a long command
            commands.start(name, [], lambda _: None, lambda _: "")
        await until(pilot, lambda: len(sent) == 2)
    assert {FREEZE, IMPORT} == set(LONG_COMMANDS)
    assert sent[:2] == [BELL, f"{KEEP_TITLE}\x1b]2;meridian-desk: freeze failed\x07"]


def test_message_on_quitting_names_the_running_jobs() -> None:
    folder = Path("projects") / "desk\x1b[m"
    assert not parting(folder, ())
    assert not parting(None, ("train",))
    assert parting(folder, ("train",)).plain == "desk␛[m: train is still running. Run distill-tui to return."
    assert parting(folder, ("train", "serve")).plain.endswith(
        "train and serve are still running. Run distill-tui to return."
    )

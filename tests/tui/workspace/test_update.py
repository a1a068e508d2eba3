"""An update from the app: its plan is shown before the job is started."""

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.job import Job
from engine.records.options import GenerateOptions, JobOptions, UpdateOptions
from engine.records.prompt import Message, Prompt
from tests.tui.piloting import SIZES, form_aside, open_app, shown, toast_text, until, wait_for_form, wait_for_toast
from tests.tui.seeds import PROMPT, add_dataset, add_examples, add_job, make_project
from tui.screens.workspace.updating import plan_excerpt


@pytest.mark.parametrize("size", SIZES)
async def test_update_starts_only_after_the_plan_is_confirmed(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    with make_project(home) as project:
        add_examples(project)
        add_dataset(project)
        project.prompts.set(Prompt((Message("system", "You answer for a bank."), *PROMPT.messages[1:])))
        folder = project.folder
    started: list[JobOptions] = []

    def start_job(self: Project, options: JobOptions) -> Job:
        started.append(options)
        job = self.jobs.add(options)
        self.jobs.update(job.id, state="done")
        return job

    monkeypatch.setattr(Project, "start_job", start_job)
    app = open_app(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        for epochs, options in (("2", UpdateOptions(epochs=2.0)), ("", UpdateOptions())):
            await pilot.press("B")
            await until(pilot, lambda: bool(app.screen.query("#aside")), seconds=60)
            await wait_for_form(pilot)
            assert "From prompt version 1 to 2:" in form_aside(app)
            assert started == []
            await pilot.press(*epochs, "enter")
            await until(pilot, lambda: started != [])
            assert started == [options]
            started.clear()


async def test_update_is_refused_while_another_job_runs(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        add_dataset(project)
        add_job(project, GenerateOptions(), "running")
        folder = project.folder
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("B")
        await until(pilot, lambda: bool(app.screen.query("#aside")), seconds=60)
        await wait_for_form(pilot)
        await pilot.press("enter")
        await wait_for_toast(pilot, "Wait until it ends")
    with Project.open(folder, home) as project:
        assert [job.kind for job in project.jobs.all()] == ["generate"]


async def test_update_without_a_dataset_says_how_to_freeze_one(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("B")
        await until(pilot, lambda: "4 z" in toast_text(app), seconds=60)


def test_long_plan_is_cut_with_a_note_and_control_codes_are_removed() -> None:
    lines = plan_excerpt({"text": "\n".join(f"line {number} \x1b[31m" for number in range(20))}).splitlines()
    assert len(lines) == 15
    assert lines[-1] == "and 6 more lines: distill-tui update --plan"
    assert not any("\x1b" in line for line in lines)

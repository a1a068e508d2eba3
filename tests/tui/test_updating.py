"""An update from the app: what a change touches is shown before the job that carries it out is started."""

import pytest
from textual.widgets import Static

from engine.paths import Home
from engine.project import Project
from engine.records.job import Job
from engine.records.options import GenerateOptions, JobOptions, UpdateOptions
from engine.records.prompt import Message, Prompt
from tests.tui.piloting import SIZES, form_of, open_app, shown, until
from tests.tui.seeds import PROMPT, add_dataset, add_examples, add_job, make_project
from tui.app import DistillApp
from tui.screens.workspace.updating import plan_words


def told(app: DistillApp) -> set[str]:
    return {note.message for note in app._notifications}


@pytest.mark.parametrize("size", SIZES)
async def test_the_plan_is_shown_and_carried_out_only_when_a_person_says_so(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    with make_project(home) as project:
        add_examples(project)
        add_dataset(project)
        project.prompts.set(Prompt((Message("system", "You answer for a bank."), *PROMPT.messages[1:])))
        folder = project.folder
    begun: list[JobOptions] = []

    def start_job(self: Project, options: JobOptions) -> Job:
        begun.append(options)
        job = self.jobs.add(options)
        self.jobs.update(job.id, state="done")
        return job

    monkeypatch.setattr(Project, "start_job", start_job)
    app = open_app(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        for typed, options in (("2", UpdateOptions(epochs=2.0)), ("", UpdateOptions())):
            await pilot.press("B")
            await until(pilot, lambda: bool(app.screen.query("#aside")), seconds=60)
            form = await form_of(pilot)
            assert "From prompt version 1 to 2:" in str(form.query_one("#aside", Static).visual)
            assert begun == []
            await pilot.press(*typed, "enter")
            await until(pilot, lambda wanted=options: begun == [wanted])
            begun.clear()


async def test_beside_another_job_it_is_refused_and_nothing_is_stored(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        add_dataset(project)
        add_job(project, GenerateOptions(), "running", [])
        folder = project.folder
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("B")
        await until(pilot, lambda: bool(app.screen.query("#aside")), seconds=60)
        await form_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: any("Wait until it ends" in words for words in told(app)))
    with Project.open(folder, home) as project:
        assert [job.kind for job in project.jobs.all()] == ["generate"]


async def test_without_a_dataset_there_is_nothing_to_update(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("B")
        await until(pilot, lambda: any("curate freeze" in words for words in told(app)), seconds=60)


def test_a_long_plan_is_cut_visibly_and_its_text_stays_words() -> None:
    words = plan_words({"text": "\n".join(f"line {number} \x1b[31m" for number in range(20))}).splitlines()
    assert len(words) == 15
    assert words[-1] == "and 6 more lines: distill-tui update --plan"
    assert not any("\x1b" in line for line in words)

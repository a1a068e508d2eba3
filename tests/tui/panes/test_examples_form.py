"""Starting a generation: the form, its estimate, the API key, and asking again for missing answers."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.errors import UsageError
from engine.jobs.protocol import StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.cost import Figure
from engine.records.job import Job
from engine.records.options import GenerateOptions, JobOptions, ProjectSettings, TeacherSpec
from engine.store.jobs import options_of_job
from engine.teachers.job import questions_of
from engine.teachers.outlook import GenerationOutlook, KeyState, Money
from tests.engine.teachers.hostile_server import Request, error, good, served, status
from tests.tui.panes.examples_helpers import fill_in, form_showing, open_pane, text
from tests.tui.panes.helpers import notified
from tests.tui.piloting import SIZES, field_error, form_aside, screen_text, until
from tests.tui.seeds import add_job, make_project, make_stage
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.forms.teacher import teacher_fields, teacher_of
from tui.panes.examples.forms import outlook_text, outlook_trouble, wanted
from tui.screens.workspace.screen import WorkspaceScreen
from tui.services.project_settings import with_stored_name

pytestmark = pytest.mark.usefixtures("no_api_keys")
CANARY = "sk-canary-9876543210zyxwvutsrq"


def generate_jobs(folder: Path, home: Home) -> list[GenerateOptions]:
    with Project.open(folder, home) as project:
        found = [options_of_job(job) for job in project.jobs.all()]
    return [options for options in found if isinstance(options, GenerateOptions)]


@asynccontextmanager
async def asking(
    home: Home, folder: Path, size: tuple[int, int], expected: str
) -> AsyncIterator[tuple[Pilot[int], DistillApp, FormScreen]]:
    """Run the app on the project in `folder` with the form open, once the note beside it contains `expected`."""
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app)
        await pilot.press("enter")
        yield pilot, app, await form_showing(pilot, app, expected)


@pytest.mark.parametrize("size", SIZES)
async def test_generation_starts_from_the_form_and_shows_its_answers(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "new")
    with served(good("RISK SCORE: 2. Call the desk.", " A person helps.")) as server:
        async with asking(home, folder, size, "40 questions, 40 answers") as (pilot, app, form):
            assert "let the teacher answer 40 questions" in text(app)
            await pilot.press("right")
            fill_in(form, model="peer", address=server.url, limit="3", samples="2", at_once="4")
            await form_showing(pilot, app, "3 questions, 6 answers")
            assert "No cost: a server on this machine." in form_aside(app)
            assert "none is needed on this machine" in form_aside(app)
            await pilot.press("enter")
            await until(pilot, lambda: "○ 6 undecided" in text(app))
            await until(pilot, lambda: "c reviews them" in text(app))
            assert "RISK SCORE: 2. Call the desk. A person helps." in text(app)
    (options,) = generate_jobs(folder, home)
    assert options == GenerateOptions(TeacherSpec("endpoint", "peer", server.url), limit=3, samples=2, concurrency=4)
    assert len(server.requests) == 6


async def test_form_starts_with_the_last_options_but_not_their_limit(home: Home) -> None:
    with make_project(home) as project:
        project.jobs.update(project.jobs.add(GenerateOptions(limit=2, samples=3)).id, state="done")
        folder = project.folder
    async with asking(home, folder, (80, 24), "40 questions, 120 answers") as (_, _, form):
        assert (form.values["limit"], form.values["samples"]) == ("", "3")


async def test_invalid_values_are_reported_and_start_nothing(home: Home) -> None:
    folder = make_stage(home, "new")
    async with asking(home, folder, (120, 40), "40 questions") as (pilot, app, form):
        fill_in(form, samples="99", temperature="hot", budget="much")
        await form_showing(pilot, app, "once every field is valid")
        await pilot.press("enter")
        for name, error in (("samples", "1 to 64"), ("temperature", "0 to 2"), ("budget", "A number, 0 or more.")):
            assert error in field_error(app, name)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
    assert not generate_jobs(folder, home)


async def test_missing_api_key_is_requested_and_stored_outside_the_project(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[JobOptions] = []

    def start(project: Project, options: JobOptions) -> Job:
        started.append(options)
        return add_job(project, options, "running", [StateChanged("running")])

    monkeypatch.setattr(Project, "start_job", start)
    folder = make_stage(home, "new")
    async with asking(home, folder, (80, 24), "40 questions") as (pilot, app, form):
        await pilot.press("right")
        fill_in(form, model="gpt-4o-mini", address="https://api.openai.com/v1", budget="2")
        await form_showing(pilot, app, "! Type the key, or set DISTILL_TUI_API_KEY_API_OPENAI_COM and restart.")
        assert "at list prices" in form_aside(app)
        await pilot.press("enter")
        assert "This endpoint needs a key." in field_error(app, "-together")
        fill_in(form, key=CANARY)
        await form_showing(pilot, app, "in a file that only you can read")
        assert CANARY not in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: bool(started))
    assert [options.max_cost_usd for options in started if isinstance(options, GenerateOptions)] == [2.0]
    (key_file,) = (home.config / "keys").iterdir()
    assert (key_file.name, key_file.read_text().strip(), stat.S_IMODE(key_file.stat().st_mode)) == (
        "api.openai.com",
        CANARY,
        0o600,
    )
    assert all(CANARY.encode() not in file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def test_budget_without_a_known_price_is_refused(home: Home) -> None:
    async with asking(home, make_stage(home, "new"), (120, 40), "40 questions") as (pilot, app, form):
        await pilot.press("right")
        fill_in(form, model="peer", address="https://peer.example/v1", budget="2", key="sk-something-long-enough")
        await form_showing(pilot, app, "no price is listed")
        await pilot.press("enter")
        await until(pilot, lambda: "No price is known for peer" in field_error(app, "-together"))


async def test_only_unanswered_questions_are_asked_again(home: Home) -> None:
    refused = status("400 Bad Request", error("blocked", "content_filter"))
    lenient = False

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await (refused if request.question == blocked.text and not lenient else good("RISK SCORE: 1. So."))(
            request, writer
        )

    folder = make_stage(home, "new")
    with served(answer) as server:
        with Project.open(folder, home) as project:
            spec = TeacherSpec("endpoint", "peer", server.url)
            project.settings.write(ProjectSettings(teacher=spec))
            blocked = questions_of(project, GenerateOptions(spec, limit=4))[2]
        async with asking(home, folder, (120, 40), "40 questions") as (pilot, app, form):
            fill_in(form, limit="4")
            await form_showing(pilot, app, "4 questions")
            await pilot.press("enter")
            await until(pilot, lambda: "✗ 1 without an answer: filtered question" in text(app), seconds=60)
            await until(pilot, lambda: "R asks again only what got no answer (1)" in text(app))
            lenient = True
            await pilot.press("R")
            await until(
                pilot, lambda: "○ 4 undecided" in text(app) and "without an answer" not in text(app), seconds=60
            )
            await pilot.press("R")
            await until(pilot, lambda: notified(app, "has an answer"))
    assert generate_jobs(folder, home)[1].asks == ((blocked.id, 0),)
    assert len(server.requests) == 5


async def test_teacher_that_does_not_exist_is_reported_and_starts_nothing(home: Home) -> None:
    folder = make_stage(home, "new")
    async with asking(home, folder, (80, 24), "40 questions") as (pilot, app, form):
        fill_in(form, model="gpt-5")
        await form_showing(pilot, app, "There is no such model. gpt-5 is neither a folder")
        await pilot.press("enter")
        await until(pilot, lambda: "cannot start" in field_error(app, "-together"))
        assert app.screen is form
        fill_in(form, model="starter")
        await form_showing(pilot, app, "40 questions")
    assert not generate_jobs(folder, home)


def test_local_teacher_is_stored_with_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    assert with_stored_name(TeacherSpec("local", "./base")) == TeacherSpec("local", str(tmp_path / "base"))
    with pytest.raises(UsageError, match="neither a folder"):
        with_stored_name(TeacherSpec("local", "gpt-5"))


def test_typed_teacher_is_read_without_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda self: pytest.fail("The disk may not answer."))
    values = {"teacher": "this machine", "model": "./base", "address": "", "key": ""}
    assert teacher_of(values) == TeacherSpec("local", "./base")
    fields = {field.id: field for field in teacher_fields(TeacherSpec(), lambda: values)}
    assert fields["model"].check("./base") == ""
    assert fields["model"].check("") == "Enter a model."
    assert fields["address"].check("ftp://h") == ""
    values["teacher"] = "an endpoint"
    assert fields["address"].check("ftp://h")


def test_form_shows_the_estimate_and_what_prevents_the_job() -> None:
    values = {
        "teacher": "an endpoint", "model": "m", "address": "https://h/v1", "key": "", "splits": "train", "samples": "2",
        "temperature": "0.7", "tokens": "64", "limit": "", "at_once": "8", "budget": "",
    }  # fmt: skip
    options = wanted(values, GenerateOptions())
    assert (options.splits, options.samples, options.concurrency, options.batch_rows) == (("train",), 2, 8, 128)
    local = wanted(values | {"teacher": "this machine", "model": "starter", "budget": "3"}, GenerateOptions())
    assert (local.batch_rows, local.max_cost_usd, local.teacher.kind) == (8, None, "local")
    figure = Figure(20.0, "measured", "")
    outlook = GenerationOutlook(5, 10, 4, 900, figure, Money(0.1, 0.2, "list"), 90.0, "job 3", KeyState("X", "Y"), 7)
    estimate = outlook_text(outlook, values)
    assert "5 questions, 10 answers, 4 already stored: 6 to ask; ≈ 1 min 30 s at the pace of job 3." in estimate
    assert "≈ $0.10, at most $0.20" in estimate
    assert outlook_trouble(outlook, values) == ""
    assert "nothing left to ask" in outlook_trouble(
        GenerationOutlook(5, 4, 4, 0, figure, outlook.money, None, "", None, 0), values
    )
    assert "7 questions are in no split yet" in outlook_text(
        GenerationOutlook(0, 0, 0, 0, figure, outlook.money, None, "", None, 7), values
    )

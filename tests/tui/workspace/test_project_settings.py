"""The form for a project's settings: what it stores, what it says, and that the teacher is one fact everywhere."""

import dataclasses
from pathlib import Path

import pytest
from textual.widgets import Input

from engine.paths import Home
from engine.project import Project
from engine.records.cost import EndpointPrices
from engine.records.dataset import DatasetSummary
from engine.records.options import GenerateOptions, ProjectSettings, TeacherSpec
from engine.records.rule import Check, Rule
from engine.teachers.keys import find_key
from tests.tui.piloting import (
    SIZES,
    field_error,
    form_aside,
    go_to_pane,
    open_app,
    shown,
    until,
    wait_for_form,
    wait_for_text,
    wait_for_toast,
)
from tests.tui.seeds import add_job, make_project, make_stage
from tui.forms.screen import FormScreen
from tui.forms.teacher import ENDPOINT, LOCAL, prices_trouble, prices_typed
from tui.panes.examples.pane import ExamplesPane
from tui.screens.workspace.project_settings import NO_JUDGE, consequences, settings_form, wanted
from tui.services.facts import Facts

AT = "https://llm.example.com/v1"
TEACHER = TeacherSpec("endpoint", "large", AT)
FACTS = Facts("desk", "/desk", ProjectSettings(), ())
VALUES = {
    "student": "starter", "temperature": "0.7", "teacher": LOCAL, "model": "starter", "address": "", "key": "",
    "prices": "", "judge": NO_JUDGE, "judge_model": "", "judge_address": "", "judge_key": "", "judge_prices": "",
}  # fmt: skip


@pytest.fixture
def folder(home: Home) -> Path:
    with make_project(home) as project:
        return project.folder


def settings_of(folder: Path, home: Home) -> ProjectSettings:
    with Project.open(folder, home) as project:
        return project.settings.read()


@pytest.mark.parametrize("size", SIZES)
async def test_changed_settings_and_keys_are_stored(home: Home, folder: Path, size: tuple[int, int]) -> None:
    app = open_app(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("comma")
        form = await wait_for_form(pilot)
        form.query_one("#field-temperature", Input).value = "0.2"
        await pilot.press("tab", "tab", "right")
        form.query_one("#field-model", Input).value = "large"
        form.query_one("#field-key", Input).value = "sk-typed"
        await pilot.press("enter")
        await until(pilot, lambda: field_error(app, "address") != "")
        assert "once every field is valid" in form_aside(app)
        form.query_one("#field-address", Input).value = AT
        await pilot.press("enter")
        await wait_for_toast(pilot, "Settings changed")
    before = ProjectSettings()
    assert settings_of(folder, home) == dataclasses.replace(before, serving_temperature=0.2, teacher=TEACHER)
    assert find_key(AT, home) == "sk-typed"
    assert b"sk-typed" not in (folder / "project.db").read_bytes()


@pytest.mark.parametrize("field", ["student", "model"])
async def test_model_that_does_not_exist_is_reported_in_the_form_as_it_was_typed(
    home: Home, folder: Path, field: str
) -> None:
    before, app = settings_of(folder, home), open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("comma")
        form = await wait_for_form(pilot)
        form.query_one("#field-temperature", Input).value = "0.2"
        form.query_one(f"#field-{field}", Input).value = "gpt-5"
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is not form and isinstance(app.screen, FormScreen))
        again = await wait_for_form(pilot)
        assert "neither a folder" in field_error(app, field)
        assert (again.values[field], again.values["temperature"]) == ("gpt-5", "0.2")
        again.query_one(f"#field-{field}", Input).value = "starter"
        await pilot.press("enter")
        await wait_for_toast(pilot, "Settings changed")
    assert settings_of(folder, home) == dataclasses.replace(before, serving_temperature=0.2)


async def test_leaving_the_form_changes_nothing(home: Home, folder: Path) -> None:
    before, app = settings_of(folder, home), open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("comma")
        form = await wait_for_form(pilot)
        form.query_one("#field-temperature", Input).value = "0.2"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not form)
    assert settings_of(folder, home) == before


async def test_generation_form_offers_the_projects_teacher_and_another_choice_becomes_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_stage(home, "new")
    with Project.open(folder, home) as project:
        add_job(project, GenerateOptions(TeacherSpec("local", "older"), samples=2), "done")
        project.settings.write(ProjectSettings(teacher=TeacherSpec("local", "owner/newer")))
    monkeypatch.setattr(Project, "start_job", lambda project, options: project.jobs.add(options))
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to_pane(pilot, 3, ExamplesPane, lambda: True)
        await pilot.press("enter")
        form = await wait_for_form(pilot)
        assert (form.values["model"], form.values["samples"]) == ("owner/newer", "2")
        form.query_one("#field-model", Input).value = "owner/newest"
        await wait_for_text(pilot, form_aside, "questions, 80 answers")
        await pilot.press("enter")
        await until(pilot, lambda: settings_of(folder, home).teacher == TeacherSpec("local", "owner/newest"))


def test_typed_settings_are_read_without_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda self: pytest.fail("The disk may not answer."))
    fields = {field.id: field for field in settings_form(FACTS)._fields}
    assert fields["student"].check("./base") == ""
    settings = wanted({**VALUES, "student": "./base"}, ProjectSettings())
    assert settings.student_base == "./base"


def test_form_shows_the_settings_and_describes_what_they_mean() -> None:
    settings = ProjectSettings(
        "starter", 0.25, TEACHER, TeacherSpec("endpoint", "strict", "https://judge.example.com/v1")
    )
    priced = dataclasses.replace(settings, prices=(EndpointPrices("large", AT, 1.0, 0.5, 2.0),))
    for each in (settings, priced):
        values = {field.id: field.value for field in settings_form(dataclasses.replace(FACTS, settings=each))._fields}
        assert wanted(values, each) == each
        assert values["key"] == values["judge_key"] == ""
    assert "Nothing leaves this machine" in consequences(VALUES, FACTS)
    elsewhere = {**VALUES, "teacher": ENDPOINT, "model": "large", "address": AT}
    assert "sent to llm.example.com" in consequences(elsewhere, FACTS)
    rubric = dataclasses.replace(FACTS, rules=(Rule(1, "Kind", Check("rubric")),))
    assert "1 rubric cannot be measured" in consequences(VALUES, rubric)
    judged = {**VALUES, "judge": ENDPOINT, "judge_model": "strict", "judge_address": "https://judge.example.com/v1"}
    assert "sent to judge.example.com for 1 rubric." in consequences(judged, rubric)
    frozen = dataclasses.replace(FACTS, dataset=DatasetSummary("d", "p", "starter", 9, 1, ""))
    assert "freeze it again" in consequences({**VALUES, "student": "owner/small"}, frozen)
    assert "freeze it again" not in consequences(VALUES, frozen)


def test_teacher_that_is_the_students_base_follows_the_student() -> None:
    changed = wanted({**VALUES, "student": "owner/small"}, ProjectSettings())
    assert changed.teacher == TeacherSpec("local", "owner/small")


AT_ENDPOINT = VALUES | {"teacher": ENDPOINT, "model": "large", "address": AT}


@pytest.mark.parametrize(
    ("before", "typed", "stored"),
    [
        ((), "0.5 0.05 2", (EndpointPrices("large", AT, 0.5, 0.05, 2.0),)),
        ((EndpointPrices("large", AT, 9.0, 9.0, 9.0),), "0.5 0.05 2", (EndpointPrices("large", AT, 0.5, 0.05, 2.0),)),
        ((EndpointPrices("large", AT, 9.0, 9.0, 9.0),), "", ()),
        ((EndpointPrices("small", AT, 1.0, 1.0, 1.0),), "", (EndpointPrices("small", AT, 1.0, 1.0, 1.0),)),
    ],
)
def test_typed_prices_replace_those_of_the_model_and_an_emptied_field_forgets_them(
    before: tuple[EndpointPrices, ...], typed: str, stored: tuple[EndpointPrices, ...]
) -> None:
    settings = wanted(AT_ENDPOINT | {"prices": typed}, ProjectSettings(teacher=TEACHER, prices=before))
    assert settings.prices == stored


def test_prices_that_were_not_changed_do_not_undo_those_typed_for_the_same_model() -> None:
    at_both = AT_ENDPOINT | {"judge": ENDPOINT, "judge_model": "large", "judge_address": AT}
    before = ProjectSettings(teacher=TEACHER, judge=TEACHER, prices=(EndpointPrices("large", AT, 1.0, 0.1, 4.0),))
    for changed in ("prices", "judge_prices"):
        typed = at_both | {"prices": "1 0.1 4", "judge_prices": "1 0.1 4"} | {changed: "2 0.2 8"}
        settings = wanted(typed, before)
        assert settings.prices == (EndpointPrices("large", AT, 2.0, 0.2, 8.0),)


def test_stored_prices_are_shown_as_exactly_as_they_were_typed() -> None:
    given = (EndpointPrices("large", AT, 1.23456789, 0.0375, 12.0),)
    assert prices_typed(given, TEACHER) == "1.23456789 0.0375 12"


def test_prices_of_a_model_outlast_another_one() -> None:
    before = ProjectSettings(teacher=TEACHER, prices=(EndpointPrices("small", AT, 1.0, 0.1, 4.0),))
    settings = wanted(AT_ENDPOINT | {"model": "small"}, before)
    assert settings.prices == before.prices
    shown = consequences(AT_ENDPOINT | {"model": "small"}, dataclasses.replace(FACTS, settings=before))
    assert "The teacher costs $1 / $0.1 / $4 per million tokens." in shown


@pytest.mark.parametrize("typed", ["1", "1 2", "1 2 3 4", "a b c", "1 2 -3", "nan 1 1", "1 2 inf"])
def test_wrong_prices_are_refused(typed: str) -> None:
    assert prices_trouble(typed)

"""`settings`: what is shown, what each option changes and leaves, and what a changed student makes stale."""

from pathlib import Path

import pytest

from engine.project import Project
from engine.records.cost import EndpointPrices
from engine.records.options import ProjectSettings, TeacherSpec
from engine.stations import read_stations
from tests.engine.cli.calling import fail, get, succeed

ENDPOINT = TeacherSpec("endpoint", "large", "https://llm.example.com/v1")
JUDGE = TeacherSpec("endpoint", "strict", "https://judge.example.com/v1")


def settings_of(folder: Path) -> ProjectSettings:
    with Project.open(folder) as project:
        return project.settings.read()


def write(folder: Path, settings: ProjectSettings) -> None:
    with Project.open(folder) as project:
        project.settings.write(settings)


def test_settings_are_shown_without_being_changed(new_project: Path) -> None:
    write(new_project, ProjectSettings("starter", 0.25, ENDPOINT, JUDGE))
    assert succeed("settings").out.splitlines() == [
        "student      starter",
        "teacher      large @ https://llm.example.com/v1",
        "judge        strict @ https://judge.example.com/v1",
        "temperature  0.25",
    ]
    assert get("settings")["teacher"]["base_url"] == ENDPOINT.base_url
    assert settings_of(new_project) == ProjectSettings("starter", 0.25, ENDPOINT, JUDGE)


@pytest.mark.parametrize(
    ("args", "teacher"),
    [
        (("--teacher", "larger"), TeacherSpec("endpoint", "larger", ENDPOINT.base_url)),
        (("--base-url", "https://other.example.com/v1"), TeacherSpec("endpoint", "large", "https://other.example.com/v1")),
        (("--local",), TeacherSpec("local", "starter")),
        (("--local", "--base", "owner/small"), TeacherSpec("local", "owner/small")),
        (("--local", "--teacher", "owner/big"), TeacherSpec("local", "owner/big")),
        (("--base", "owner/small"), ENDPOINT),
        (("--temperature", "0"), ENDPOINT),
    ],
)  # fmt: skip
def test_options_change_only_what_they_name(new_project: Path, args: tuple[str, ...], teacher: TeacherSpec) -> None:
    write(new_project, ProjectSettings(teacher=ENDPOINT, judge=JUDGE))
    get("settings", *args)
    student = "owner/small" if "--base" in args else "starter"
    temperature = 0.0 if "--temperature" in args else 0.7
    assert settings_of(new_project) == ProjectSettings(student, temperature, teacher, JUDGE)


def test_teacher_that_is_the_students_base_follows_the_student(new_project: Path) -> None:
    write(new_project, ProjectSettings(teacher=TeacherSpec("local", "starter")))
    get("settings", "--base", "owner/small")
    assert settings_of(new_project).teacher == TeacherSpec("local", "owner/small")
    get("settings", "--base-url", ENDPOINT.base_url, "--teacher", "large")
    assert settings_of(new_project).teacher == ENDPOINT


def test_judge_is_set_in_part_and_removed(new_project: Path) -> None:
    get("rules", "add", "Kind", "kind=rubric")
    assert "Without a judge" in succeed("settings").err
    get("settings", "--judge-model", "strict", "--judge-url", JUDGE.base_url)
    assert settings_of(new_project).judge == JUDGE
    get("settings", "--judge-model", "stricter")
    assert settings_of(new_project).judge == TeacherSpec("endpoint", "stricter", JUDGE.base_url)
    get("settings", "--no-judge")
    assert settings_of(new_project).judge is None


@pytest.mark.parametrize(
    "args",
    [
        ("--local", "--base-url", "https://llm.example.com/v1"),
        ("--no-judge", "--judge-model", "m"),
        ("--temperature", "0.2", "--judge-model", "m"),
        ("--temperature", "0.2", "--base-url", "http://llm.example.com/v1", "--teacher", "m"),
        ("--temperature", "0.2", "--base-url", "https://llm.example.com/v1"),
        ("--temperature", "0.2", "--teacher-usd-per-mtok", "1", "1", "1"),
        ("--temperature", "0.2", "--judge-usd-per-mtok", "1", "1", "1"),
        ("--list-prices", "--teacher-usd-per-mtok", "1", "1", "1"),
        ("--temperature", "0.2", "--teacher-usd-per-mtok", "1", "-1", "1"),
        ("--temperature", "0.2", "--teacher-usd-per-mtok", "1", "nan", "1"),
        ("--temperature", "0.2", "--teacher-usd-per-mtok", "1", "1"),
    ],
)
def test_refused_options_change_nothing(new_project: Path, args: tuple[str, ...]) -> None:
    before = settings_of(new_project)
    assert fail("settings", *args)["next"]
    assert settings_of(new_project) == before


def test_prices_are_set_shown_kept_and_forgotten(new_project: Path) -> None:
    write(new_project, ProjectSettings(teacher=ENDPOINT, judge=JUDGE))
    shown = succeed("settings", "--teacher-usd-per-mtok", "0.5", "0.05", "2").out.splitlines()
    assert shown[-1] == (
        "prices       large @ https://llm.example.com/v1: "
        "0.5 input, 0.05 cached input, 2 output, in USD per million tokens"
    )
    get("settings", "--judge-usd-per-mtok", "3", "3", "9")
    teacher = EndpointPrices("large", ENDPOINT.base_url, 0.5, 0.05, 2.0)
    judge = EndpointPrices("strict", JUDGE.base_url, 3.0, 3.0, 9.0)
    assert settings_of(new_project).prices == (teacher, judge)
    get("settings", "--teacher", "larger", "--temperature", "0.5", "--no-judge")
    assert settings_of(new_project).prices == (teacher, judge), "they belong to a model, not to its role"
    get("settings", "--teacher", "large", "--teacher-usd-per-mtok", "1", "1", "1")
    assert [each["output_usd_per_mtok"] for each in get("settings")["prices"]] == [9, 1]
    assert get("settings", "--list-prices")["prices"] == []


def test_estimates_use_the_prices_of_the_settings(new_project: Path) -> None:
    write(new_project, ProjectSettings(teacher=ENDPOINT))
    args = ("estimate", "--model", "large", "--question-tokens", "0", "--answer-tokens", "1000")
    assert "prices are not known" in fail(*args)["title"]
    get("settings", "--teacher-usd-per-mtok", "0", "0", "2000")
    found = get(*args)
    assert found["per_request_usd"]["prompted"] == pytest.approx(2)
    assert found["inputs"]["output_usd_per_mtok"]["source"] == "the project's settings"
    assert get(*args, "--output-usd-per-mtok", "1000")["per_request_usd"]["prompted"] == pytest.approx(1)


def test_dataset_of_another_base_is_stale(finished: Path) -> None:
    with Project.open(finished) as project:
        dataset = project.datasets.latest()
    assert dataset is not None
    get("settings", "--base", "owner/small")
    with Project.open(finished) as project:
        stations = {station.name: station for station in read_stations(project)}
    assert (stations["dataset"].state, stations["dataset"].note) == ("stale", "made for another base")
    assert stations["run"].state == "stale"
    get("settings", "--base", dataset.base)
    with Project.open(finished) as project:
        assert "stale" not in {station.state for station in read_stations(project)}

"""Which project a command works on: the named one, the one in a folder, else the last used; and in which home."""

from pathlib import Path

import pytest

from engine.cli.main import run
from engine.paths import Home
from engine.project import Project
from tests.engine.cli.calling import fail, get, succeed

# Everything that needs a project, as words that are right in themselves.
NEED_A_PROJECT = (
    ("prompt", "set", "-"),
    ("prompt", "show"),
    ("prompt", "versions"),
    ("prompt", "try", "Is it open?"),
    ("rules", "list"),
    ("rules", "add", "Ends well", "kind=ends_with", "text=."),
    ("rules", "import", "RULES"),
    ("rules", "remove", "1"),
    ("rules", "test", "An answer."),
    ("questions", "import", "-"),
    ("questions", "synthesize"),
    ("questions", "dedupe"),
    ("questions", "split"),
    ("questions", "list"),
    ("generate",),
    ("curate", "check"),
    ("curate", "list"),
    ("curate", "accept", "1"),
    ("curate", "reject", "--state", "accepted"),
    ("curate", "edit", "1", "-"),
    ("curate", "undo"),
    ("curate", "redo"),
    ("curate", "freeze"),
    ("train",),
    ("evaluate",),
    ("report",),
    ("export",),
    ("estimate", "--model", "gpt-5", "--requests-per-day", "1"),
    ("status",),
    ("jobs", "list"),
    ("jobs", "follow", "1"),
    ("jobs", "pause", "1"),
    ("jobs", "resume", "1"),
    ("jobs", "stop", "1"),
)


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: [{text: Ends well, check: {kind: ends_with, text: .}}]")
    return path


@pytest.mark.parametrize("words", NEED_A_PROJECT, ids=" ".join)
def test_without_any_project_a_command_says_how_to_make_one(
    words: tuple[str, ...], private_home: Path, rules_file: Path
) -> None:
    words = tuple(str(rules_file) if word == "RULES" else word for word in words)
    error = fail(*words, input="a text")
    assert error["title"] == "There is no project yet."
    assert "distill-tui new" in error["next"]
    assert not private_home.exists(), "a refused command makes nothing"


@pytest.mark.parametrize("words", [*NEED_A_PROJECT, ("doctor",)], ids=" ".join)
def test_an_unknown_project_is_refused_by_name(words: tuple[str, ...], begun: Path, rules_file: Path) -> None:
    words = tuple(str(rules_file) if word == "RULES" else word for word in words)
    error = fail(*words, "--project", "meridian-dsk", input="a text")
    assert error["title"] == "There is no such project."
    assert "meridian-desk" in error["next"]


def test_a_project_is_found_by_name_by_path_and_by_habit(home: Home, tmp_path: Path) -> None:
    succeed("new", "first")
    succeed("new", "second")
    outside = tmp_path / "outside"
    assert get("new", outside)["folder"] == str(outside)
    seen = [
        get("status", *words)["project"]
        for words in (
            (),
            ("--project", "first"),
            (),
            ("-p", str(home.projects / "second")),
            ("-p", str(outside)),
            (),
        )
    ]
    assert seen == ["outside", "first", "first", "second", "outside", "outside"]


def test_a_new_project_is_the_current_one_and_a_deleted_one_is_not(home: Home) -> None:
    succeed("new", "first")
    succeed("new", "second")
    assert get("status")["project"] == "second"
    succeed("projects", "delete", "second", "--yes")
    assert get("status")["project"] == "first"


def test_where_several_could_be_meant_none_is_taken(home: Home) -> None:
    succeed("new", "first")
    succeed("new", "second")
    (home.state / "last_project").unlink()
    error = fail("prompt", "set", "-", input="A prompt.")
    assert "first, second" in error["message"]
    assert "--project" in error["next"]
    for name in ("first", "second"):
        assert get("prompt", "versions", "-p", name) == {"versions": []}


def test_the_option_goes_before_the_variable_and_the_variable_before_the_folders_of_xdg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    option, variable, data = tmp_path / "option", tmp_path / "variable", tmp_path / "data"
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(data))
    monkeypatch.setenv("DISTILL_TUI_HOME", str(variable))
    made = [get("new", "desk", "--home", option)["folder"], get("new", "desk")["folder"]]
    monkeypatch.delenv("DISTILL_TUI_HOME")
    made.append(get("new", "desk")["folder"])
    assert made == [
        str(option / "projects" / "desk"),
        str(variable / "projects" / "desk"),
        str(data / "distill-tui" / "projects" / "desk"),
    ]
    assert [project["folder"] for project in get("projects", "list", "--home", option)["projects"]] == made[:1]


def test_a_relative_home_is_one_place_wherever_it_is_named_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert get("new", "desk", "--home", "here")["folder"] == str(tmp_path / "here" / "projects" / "desk")


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    fail("status", "--home", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_home_that_cannot_be_made_is_a_failure_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    error = fail("new", "desk", "--home", tmp_path / "file" / "home", status=1)
    assert "--home" in error["next"]


@pytest.mark.parametrize("name", ["a b", ".hidden", "x" * 101, "ä"])
def test_a_name_that_no_project_can_have_is_refused(name: str, private_home: Path) -> None:
    fail("new", name)
    assert not (private_home / "projects").exists()


def test_a_taken_name_is_refused_and_its_project_untouched(begun: Path) -> None:
    before = get("prompt", "versions")
    fail("new", "meridian-desk")
    assert get("prompt", "versions") == before


def test_a_new_project_keeps_what_it_was_told(home: Home) -> None:
    made = get("new", "desk", "--base", "owner/model", "--teacher", "peer", "--base-url", "http://127.0.0.1:9/v1/",
               "--temperature", "0.2")  # fmt: skip
    assert made["settings"] == {
        "student_base": "owner/model",
        "serving_temperature": 0.2,
        "teacher": {"kind": "endpoint", "model": "peer", "base_url": "http://127.0.0.1:9/v1"},
        "judge": None,
    }
    with Project.open(home.projects / "desk", home) as project:
        assert project.settings.read().teacher.name == "peer @ http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    "words",
    [("--base-url", "https://llm.example.com/v1"), ("--base-url", "http://llm.example.com/v1", "--teacher", "m"),
     ("--base-url", "nowhere", "--teacher", "m"), ("--base-url", "https://me:secret1@x.example/v1", "--teacher", "m"),
     ("--temperature", "3"), ("--temperature", "nan"), ("--temperature", "warm")],
    ids=" ".join,
)  # fmt: skip
def test_settings_that_cannot_work_make_no_project(words: tuple[str, ...], private_home: Path) -> None:
    error = fail("new", "desk", *words)
    assert "secret1" not in str(error)
    assert not (private_home / "projects").exists()


def test_project_and_home_may_stand_before_the_command(tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    for name in ("one", "two"):
        succeed("new", name, "--home", home)
    assert get("-p", "one", "--home", home, "status")["project"] == "one"
    assert get("-p", "one", "--home", home, "status", "--project", "two")["project"] == "two"


def test_without_a_command_the_app_opens_on_the_named_project(tmp_path: Path) -> None:
    home, opened = tmp_path / "elsewhere", list[tuple[Path | None, Path]]()
    succeed("new", "one", "--home", home)

    def open_app(folder: Path | None, place: Home) -> int:
        opened.append((folder, place.projects))
        return 0

    assert run(["--project", "one", "--home", str(home)], open_app) == 0
    assert run(["--home", str(home)], open_app) == 0
    assert run(["--project", "none", "--home", str(home)], open_app) == 2
    projects = Home.locate(home).projects
    assert opened == [(projects / "one", projects), (None, projects)]

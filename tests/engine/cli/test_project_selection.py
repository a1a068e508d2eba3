"""Which project and home a command uses: named, given as a path, or the current one; and what `new` accepts."""

from pathlib import Path

import pytest

from engine.cli.main import run
from engine.paths import Home
from engine.project import Project
from tests.engine.cli.calling import fail, get, succeed

# Every command that needs a project, with otherwise valid arguments.
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
    ("rules", "export", "--to", "rules.yaml"),
    ("questions", "import", "-"),
    ("questions", "synthesize"),
    ("questions", "dedupe"),
    ("questions", "split"),
    ("questions", "list"),
    ("questions", "export", "--to", "questions.jsonl"),
    ("questions", "remove", "1"),
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


@pytest.mark.parametrize("args", NEED_A_PROJECT, ids=" ".join)
def test_command_without_any_project_says_how_to_create_one(
    args: tuple[str, ...], private_home: Path, input_files: dict[str, str]
) -> None:
    args = tuple(input_files.get(arg, arg) for arg in args)
    error = fail(*args, input="a text")
    assert error["title"] == "There is no project yet."
    assert "distill-tui new" in error["next"]
    assert not private_home.exists(), "a refused command creates nothing"


@pytest.mark.parametrize("args", [*NEED_A_PROJECT, ("doctor",)], ids=" ".join)
def test_unknown_project_is_refused_with_a_suggestion(
    args: tuple[str, ...], new_project: Path, input_files: dict[str, str]
) -> None:
    args = tuple(input_files.get(arg, arg) for arg in args)
    error = fail(*args, "--project", "meridian-dsk", input="a text")
    assert error["title"] == "There is no such project."
    assert "meridian-desk" in error["next"]


def test_project_is_found_by_name_path_or_choice(home: Home, tmp_path: Path) -> None:
    succeed("new", "first")
    succeed("new", "second")
    outside = tmp_path / "outside"
    assert get("new", outside)["folder"] == str(outside)
    found = [
        get("status", *args)["project"]
        for args in (
            (),
            ("--project", "first"),
            (),
            ("-p", str(home.projects / "second")),
            ("-p", str(outside)),
            (),
        )
    ]
    assert found == ["outside", "first", "outside", "second", "outside", "outside"], "-p is for one command"
    assert get("projects", "use", "first")["folder"] == str(home.projects / "first")
    assert get("status")["project"] == "first"
    assert {row["name"]: row["current"] for row in get("projects", "list")["projects"]} == {
        "first": True, "second": False,
    }  # fmt: skip
    assert sorted(line.split()[0] for line in succeed("projects", "list").out.splitlines()) == ["*", "second"]
    fail("projects", "use", "third")


def test_new_project_becomes_current_until_it_is_deleted(home: Home) -> None:
    succeed("new", "first")
    succeed("new", "second")
    assert get("status")["project"] == "second"
    succeed("projects", "delete", "second", "--yes")
    assert get("status")["project"] == "first"


def test_ambiguous_project_is_refused_and_none_is_changed(home: Home) -> None:
    succeed("new", "first")
    succeed("new", "second")
    (home.state / "last_project").unlink()
    error = fail("prompt", "set", "-", input="A prompt.")
    assert "first, second" in error["message"]
    assert "--project" in error["next"]
    for name in ("first", "second"):
        assert get("prompt", "versions", "-p", name) == {"versions": []}


def test_home_option_overrides_the_variable_and_the_variable_overrides_xdg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    option, variable, data = tmp_path / "option", tmp_path / "variable", tmp_path / "data"
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(data))
    monkeypatch.setenv("DISTILL_TUI_HOME", str(variable))
    folders = [get("new", "desk", "--home", option)["folder"], get("new", "desk")["folder"]]
    monkeypatch.delenv("DISTILL_TUI_HOME")
    folders.append(get("new", "desk")["folder"])
    assert folders == [
        str(option / "projects" / "desk"),
        str(variable / "projects" / "desk"),
        str(data / "distill-tui" / "projects" / "desk"),
    ]
    assert [project["folder"] for project in get("projects", "list", "--home", option)["projects"]] == folders[:1]


def test_relative_home_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert get("new", "desk", "--home", "here")["folder"] == str(tmp_path / "here" / "projects" / "desk")


def test_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    fail("status", "--home", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_home_that_cannot_be_created_exits_with_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    error = fail("new", "desk", "--home", tmp_path / "file" / "home", status=1)
    assert "--home" in error["next"]


@pytest.mark.parametrize("name", ["", "a b", ".hidden", "HOME/.hidden", "x" * 101, "ä"])
def test_invalid_project_name_is_refused(name: str, home: Home) -> None:
    assert fail("new", name.replace("HOME", str(home.root)))["title"] == "Invalid project name."
    assert not home.projects.exists()


def test_taken_name_is_refused_and_its_project_unchanged(new_project: Path) -> None:
    before = get("prompt", "versions")
    fail("new", "meridian-desk")
    assert get("prompt", "versions") == before


def test_new_project_stores_its_settings(home: Home) -> None:
    created = get("new", "desk", "--base", "owner/model", "--teacher", "peer", "--base-url", "http://127.0.0.1:9/v1/",
                  "--temperature", "0.2")  # fmt: skip
    assert created["settings"] == {
        "student_base": "owner/model",
        "serving_temperature": 0.2,
        "teacher": {"kind": "endpoint", "model": "peer", "base_url": "http://127.0.0.1:9/v1"},
        "judge": None,
        "prices": [],
    }
    with Project.open(home.projects / "desk", home) as project:
        assert project.settings.read().teacher.name == "peer @ http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    "args",
    [("--base-url", "https://llm.example.com/v1"), ("--base-url", "http://llm.example.com/v1", "--teacher", "m"),
     ("--base-url", "nowhere", "--teacher", "m"), ("--base-url", "https://me:secret1@x.example/v1", "--teacher", "m"),
     ("--temperature", "3"), ("--temperature", "nan"), ("--temperature", "warm")],
    ids=" ".join,
)  # fmt: skip
def test_invalid_settings_create_no_project(args: tuple[str, ...], private_home: Path) -> None:
    error = fail("new", "desk", *args)
    assert "secret1" not in str(error)
    assert not (private_home / "projects").exists()


def test_project_and_home_options_may_precede_the_command(tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    for name in ("one", "two"):
        succeed("new", name, "--home", home)
    assert get("-p", "one", "--home", home, "status")["project"] == "one"
    assert get("-p", "one", "--home", home, "status", "--project", "two")["project"] == "two"


def test_variable_names_the_project_of_a_shell(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        succeed("new", name)
    monkeypatch.setenv("DISTILL_TUI_PROJECT", "one")
    assert get("status")["project"] == "one"
    assert get("status", "-p", "two")["project"] == "two"
    assert get("-p", "two", "status")["project"] == "two"
    opened = list[Path | None]()
    assert run(["--home", str(home.projects.parent)], lambda folder, _home: opened.append(folder) or 0) == 0
    assert [folder.name for folder in opened if folder] == ["one"]
    monkeypatch.setenv("DISTILL_TUI_PROJECT", "nine")
    assert "nine" in fail("status")["message"]


def test_app_opens_the_named_project_if_there_is_no_command(tmp_path: Path) -> None:
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
    succeed("new", "two", "--home", home)
    run(["--project", "one", "--home", str(home)], open_app)
    assert get("status", "--home", home)["project"] == "one", "opened in the app"

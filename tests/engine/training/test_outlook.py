"""Estimates of a run before it starts: its steps, time, memory and disk, from earlier runs or calculated."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import NotFoundError
from engine.gpus import Gpu
from engine.model.load import load_base
from engine.model.prompt_cache import PromptCache
from engine.model.shapes import Shapes, find_shapes, read_shapes
from engine.paths import Home
from engine.project import Project
from engine.questions.general import general_questions
from engine.records.dataset import DatasetSummary
from engine.records.run import Estimated, Run, TrainingConfig
from engine.training.costs import RowTokens, general_rows
from engine.training.facts import Basis, FreeMemory, read_basis
from engine.training.outlook import error_text, estimate_training, outlook_text
from engine.training.peak import TrainingFacts, memory_mb, trained_numbers
from engine.training.student import trained_parameters, with_new_adapter
from engine.training.work import work_of
from tests.tiny import downloaded

CONFIG = TrainingConfig(base="tiny", batch_rows=8, epochs=3.0, device="cpu", dtype="float32")
DATASET = DatasetSummary("d" * 64, "p" * 64, "tiny", train=100, validation=20, created_at="")
TOKENS = RowTokens(question=20.0, answer=30.0, longest=80, longest_answer=50, prompt=400)
RUN = Run(1, DATASET.sha256, CONFIG, "done", "runs/1", step=20, steps=20, train_s=40.0, peak_rss_mb=900.0)


def test_steps_follow_from_rows_batch_size_and_epochs() -> None:
    basis = Basis(DATASET)
    estimate = estimate_training(CONFIG, basis)
    assert estimate.steps == 3 * 13
    assert (estimate.seconds, estimate.memory_mb, estimate.disk_mb, estimate.like) == (None, None, None, None)
    assert estimate_training(replace(CONFIG, epochs=0.01), basis).steps == 1
    assert estimate_training(CONFIG, replace(basis, dataset=replace(DATASET, train=0))).steps == 0


def test_time_is_scaled_by_work_from_the_newest_similar_run() -> None:
    newer = replace(RUN, id=2, train_s=80.0, config=replace(CONFIG, objective="forward_kl"))
    others = (
        replace(RUN, id=3, config=replace(CONFIG, device="cuda")),
        replace(RUN, id=4, config=replace(CONFIG, base="other")),
        replace(RUN, id=5, step=0),
    )
    basis = Basis(DATASET, runs=(RUN, newer, *others), tokens=TOKENS)
    wider = replace(CONFIG, batch_rows=16)
    estimate = estimate_training(wider, basis)
    assert estimate.like == RUN
    rows = (100, 20, TOKENS)
    assert estimate.seconds == pytest.approx(40.0 * work_of(wider, *rows).until(21) / work_of(CONFIG, *rows).until(20))
    assert estimate.memory_mb == 900.0
    assert estimate_training(replace(CONFIG, objective="forward_kl"), basis).like == newer
    finished = replace(RUN, step=39, steps=39)
    assert estimate_training(CONFIG, replace(basis, runs=(finished,))).seconds == pytest.approx(40.0)


def test_run_on_a_larger_dataset_gives_the_time_per_row() -> None:
    larger = replace(DATASET, sha256="e" * 64, train=1_000, validation=200)
    config = replace(CONFIG, evaluations=1)  # a short run spends a larger part on its minimum of sampled answers
    finished = replace(RUN, config=config, dataset_sha256=larger.sha256, step=375, steps=375, train_s=400.0)
    basis = Basis(DATASET, datasets=(DATASET, larger), runs=(finished,), tokens=TOKENS)
    assert estimate_training(config, basis).seconds == pytest.approx(40.0, rel=0.05)


def test_second_stage_and_extra_terms_are_calculated_until_a_run_with_them_is_measured() -> None:
    basis = Basis(DATASET, runs=(replace(RUN, step=39, steps=39),), tokens=TOKENS)
    plain = estimate_training(CONFIG, basis).seconds
    for term in ({"on_policy_steps": 10}, {"general_fraction": 0.1}, {"prompt_back_weight": 0.1}):
        config = replace(CONFIG, **term)
        more = estimate_training(config, basis).seconds
        assert plain is not None
        assert more is not None
        assert more > plain
        assert "part estimated" in outlook_text(config, basis)
    both = replace(CONFIG, on_policy_steps=10)
    estimate = estimate_training(both, basis)
    assert estimate.steps == 3 * 13 + 10
    assert "then 10 on 64 own answers each" in outlook_text(both, basis)
    measured = replace(RUN, id=2, step=49, steps=49, train_s=500.0, config=both)
    known = estimate_training(both, replace(basis, runs=(*basis.runs, measured)))
    assert known.like == measured
    assert known.seconds == pytest.approx(500.0)
    assert estimate_training(CONFIG, replace(basis, runs=(*basis.runs, measured))).like == basis.runs[0]
    twice = estimate_training(replace(both, on_policy_steps=20), replace(basis, runs=(measured,))).seconds
    assert twice is not None
    assert 500.0 < twice < 1000.0


def test_short_first_stage_before_a_second_stage_gives_a_warning() -> None:
    config = replace(CONFIG, epochs=1.0, on_policy_steps=10)
    assert "75 to 88 % cut" in outlook_text(config, Basis(DATASET))
    for no_warning in (CONFIG, replace(config, epochs=2.0), replace(config, initial_run_id=1)):
        assert "cut" not in outlook_text(no_warning, Basis(DATASET))


def test_work_of_a_stage_counts_the_steps_that_read_the_prompt() -> None:
    config = replace(CONFIG, prompt_back_weight=0.1, on_policy_steps=3)
    long = replace(TOKENS, prompt=100_000)
    first, second = (work_of(config, 100, 10, long).first_step, work_of(config, 100, 10, long).second_step)
    assert first.of(0, 2 * first.every) == pytest.approx(2 * first.every * first.mean)
    assert first.of(0, first.every - 1) == pytest.approx((first.every - 1) * first.own)
    assert first.prompt == pytest.approx(100_000, rel=0.01)
    assert second.every == 3, "a stage of fewer steps than that reads it once, at its last step"
    assert second.of(0, 2) + second.prompt + second.own == second.of(0, 3)


def test_no_more_general_questions_are_counted_than_are_bundled() -> None:
    some = replace(CONFIG, general_fraction=0.1, epochs=1.0, on_policy_steps=0)
    assert general_rows(some, 90) == 10
    assert general_rows(replace(some, epochs=1_000.0), 90) == len(general_questions("train"))
    assert general_rows(CONFIG, 90) == 0


def test_memory_is_calculated_from_shapes_until_a_similar_run_is_measured(model_folder: Path) -> None:
    shapes = read_shapes(model_folder)
    basis = Basis(DATASET, shapes=shapes, tokens=replace(TOKENS, longest=300), free=FreeMemory(9_000.0))
    assert shapes.layers == 2
    wide = estimate_training(CONFIG, basis).memory_mb
    assert wide == memory_mb(CONFIG, TrainingFacts(100, basis.tokens, 0, shapes, None, 4))
    narrow = estimate_training(replace(CONFIG, dtype="bfloat16"), basis).memory_mb
    assert narrow is not None
    assert wide is not None
    assert narrow < wide
    on_gpu = replace(basis, free=FreeMemory(9_000.0, (Gpu(9_000.0),)))
    automatic = replace(CONFIG, device="auto", dtype="auto")
    assert estimate_training(automatic, on_gpu).memory_mb == narrow + 440.0  # of logits
    assert estimate_training(CONFIG, replace(basis, runs=(RUN,))).memory_mb == 900.0
    for other in (
        replace(CONFIG, lora_rank=32),
        replace(CONFIG, micro_batch_rows=4),
        replace(CONFIG, on_policy_steps=1),
    ):
        assert estimate_training(other, replace(basis, runs=(RUN,))).memory_mb == memory_mb(other, basis.facts(other))
    on_other_device = replace(RUN, device="cuda:0")
    assert estimate_training(CONFIG, replace(basis, runs=(on_other_device,))).memory_mb == wide
    with_estimate = replace(on_other_device, estimate=Estimated(None, 1000.0, None, gpu_peak_mb=700.0))
    assert estimate_training(CONFIG, replace(basis, runs=(with_estimate,))).memory_mb == 700.0


def test_second_stage_needs_memory_for_the_prompts_keys_and_values(model_folder: Path) -> None:
    shapes = read_shapes(model_folder)
    local = load_base(model_folder, device="cpu", dtype="float32")
    cached = PromptCache.build(local, list(range(1, 41)))
    token_bytes = sum(each.nbytes for pair in cached.attended.values() for each in pair) / 40
    assert shapes.kept * 4 == token_bytes
    facts = TrainingFacts(100, replace(TOKENS, prompt=100_000), 0, shapes, None, 4)
    config = replace(CONFIG, on_policy_steps=1)
    long_prompt, short_prompt = memory_mb(config, facts), memory_mb(config, replace(facts, tokens=TOKENS))
    assert long_prompt is not None
    assert short_prompt is not None
    assert long_prompt - short_prompt == pytest.approx((100_000 - TOKENS.prompt) * token_bytes / 1e6)
    assert memory_mb(CONFIG, facts) == memory_mb(CONFIG, replace(facts, tokens=TOKENS)), (
        "the first stage holds no prompt"
    )


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ({"self_attn.q_proj": (64, 64), "self_attn.k_proj": (16, 64), "self_attn.v_proj": (16, 64)}, 32),
        ({"self_attn.qkv_proj": (96, 64), "self_attn.o_proj": (64, 64)}, 32),
        ({"attention.query_key_value": (96, 64)}, 0),
    ],
)
def test_key_value_size_is_found_by_the_layer_names_of_a_family(
    tmp_path: Path, names: dict[str, tuple[int, int]], kept: int
) -> None:
    weights = {f"model.layers.0.{name}.weight": torch.zeros(shape) for name, shape in names.items()}
    save_file(weights, tmp_path / "model.safetensors")
    assert read_shapes(tmp_path).kept == kept


@pytest.mark.parametrize("unread", ["mtp.layers.0", "model.visual.blocks.0", "model.connector"])
def test_layers_that_text_never_passes_through_are_not_counted(tmp_path: Path, unread: str) -> None:
    weights = {f"{part}.self_attn.k_proj.weight": torch.zeros(16, 64) for part in ("model.layers.0", unread)}
    save_file(weights, tmp_path / "model.safetensors")
    found = read_shapes(tmp_path)
    assert (found.linear, found.kept, found.layers) == (((64, 16),), 16, 1)


def test_heads_for_several_tokens_that_are_stored_as_further_layers_are_not_counted(tmp_path: Path) -> None:
    """DeepSeek-V3's and GLM's, with a vocabulary of their own. The layers of an image tower have their own numbers."""
    (tmp_path / "config.json").write_text('{"text_config": {"num_hidden_layers": 1}}')
    layer = {"model.layers.0.self_attn.k_proj.weight": torch.zeros(16, 64)}
    tower = {"model.vision_tower.layers.1.fc1.weight": torch.zeros(4, 4)}
    heads = {"self_attn.k_proj": (16, 64), "mlp.experts.0.up_proj": (8, 64), "shared_head.head": (300, 64)}
    further = {f"model.layers.1.{name}.weight": torch.zeros(shape) for name, shape in heads.items()}
    save_file(layer | tower | further, tmp_path / "model.safetensors")
    found = read_shapes(tmp_path)
    assert (found.linear, found.kept, found.layers, found.experts) == (((64, 16),), 16, 1, 0)
    assert found.parameters == 16 * 64 + 4 * 4


def test_estimate_error_is_reported_for_comparable_values() -> None:
    done = replace(RUN, device="cpu", disk_mb=90.0, estimate=Estimated(50.0, 1000.0, 60.0))
    assert error_text(done) == (
        "Estimated time 50 s, took 40 s (−20\u00a0%); memory 1.0 GB, took 900 MB (−10\u00a0%); "
        "disk 60 MB, took 90 MB (+50\u00a0%)."
    )
    assert error_text(replace(done, step=10)).startswith("Estimated memory"), "the estimated time was for all steps"
    assert error_text(replace(done, device="cuda:0", estimate=Estimated(None, 1000.0, None))) == ""
    on_gpu = replace(done, device="cuda:0", estimate=Estimated(None, 1000.0, None, gpu_peak_mb=1_300.0))
    assert error_text(on_gpu) == "Estimated memory 1.0 GB, took 1.3 GB (+30\u00a0%)."
    assert error_text(replace(done, state="stopped")) == ""
    assert error_text(RUN) == ""


def test_adapter_size_follows_from_the_shapes(model_folder: Path) -> None:
    shapes = read_shapes(model_folder)
    config = replace(CONFIG, lora_rank=5)
    student = with_new_adapter(load_base(model_folder, device="cpu", dtype="float32"), config)
    assert shapes.lora_parameters(5) == sum(parameter.numel() for parameter in trained_parameters(student))
    assert shapes.vocabulary == 259
    assert shapes.size_bytes == (model_folder / "model.safetensors").stat().st_size


def test_full_fine_tuning_needs_16_bytes_per_trained_weight(model_folder: Path) -> None:
    shapes = read_shapes(model_folder)
    full = replace(CONFIG, adapter="full")
    student = with_new_adapter(load_base(model_folder, device="cpu", dtype="float32"), full)
    numbers = sum(parameter.numel() for parameter in trained_parameters(student))
    assert numbers == pytest.approx(trained_numbers(full, shapes), rel=0.02)
    facts = TrainingFacts(100, TOKENS, 0, shapes, None, 4)
    more = (memory_mb(full, facts) or 0) - (memory_mb(CONFIG, facts) or 0)
    assert more == pytest.approx(16 * (numbers - shapes.lora_parameters(16)) / 1e6, rel=0.02)
    basis = Basis(DATASET, runs=(RUN,), shapes=shapes, tokens=TOKENS)
    assert estimate_training(replace(full, objective="cross_entropy"), basis).like is None


def test_disk_grows_with_rank_and_cached_teacher_distributions(model_folder: Path) -> None:
    shapes = read_shapes(model_folder)
    basis = Basis(DATASET, shapes=shapes, tokens=TOKENS, scored_train=3_000, scored_validation=600)
    adapter_mb = shapes.lora_parameters(16) * 4 / 1e6
    teacher_mb = 30 * 120 * (64 * 4 + 2) / 1e6
    assert estimate_training(CONFIG, basis).disk_mb == pytest.approx(13 * adapter_mb + teacher_mb)
    alone = replace(CONFIG, objective="cross_entropy", lora_rank=32)
    assert estimate_training(alone, basis).disk_mb == pytest.approx(26 * adapter_mb + teacher_mb / 6)
    both = replace(alone, prompt_back_weight=0.1)
    assert estimate_training(both, basis).disk_mb == pytest.approx(26 * adapter_mb + teacher_mb)
    assert "the teacher's distributions" in outlook_text(CONFIG, basis)
    no_own_answers = Basis(DATASET, shapes=shapes, tokens=TOKENS)
    assert estimate_training(CONFIG, no_own_answers).disk_mb == pytest.approx(13 * adapter_mb)
    assert "distributions" not in outlook_text(CONFIG, no_own_answers)
    general = estimate_training(replace(CONFIG, general_fraction=0.1), basis).disk_mb
    assert general is not None
    assert general > 10 * adapter_mb + teacher_mb


def test_missing_or_broken_base_has_no_shapes(private_home: Path, tmp_path: Path) -> None:
    home = Home.locate()
    assert find_shapes("starter", home) is None
    assert find_shapes("owner/name", home) is None
    assert find_shapes(str(tmp_path), home) is None
    for broken in (b"\xff" * 64, b"\2" + bytes(7) + b"[]"):
        (tmp_path / "model.safetensors").write_bytes(broken)
        assert find_shapes(str(tmp_path), home) is None


def test_duplicate_weights_in_a_folder_count_once(model_folder: Path, tmp_path: Path) -> None:
    once = read_shapes(model_folder)
    weights = load_file(model_folder / "model.safetensors")
    file_of = {name: f"model-{place % 2 + 1:05}-of-00002.safetensors" for place, name in enumerate(weights)}
    for file in set(file_of.values()):
        save_file({name: weights[name] for name in weights if file_of[name] == file}, tmp_path / file)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": file_of}))
    save_file(weights, tmp_path / "consolidated.safetensors")
    found = read_shapes(tmp_path)
    assert (sorted(found.linear), found.parameters) == (sorted(once.linear), once.parameters)


def test_hub_base_is_found_in_the_cache(private_home: Path, model_folder: Path) -> None:
    home = Home.locate()
    downloaded(home, "owner/name").symlink_to(model_folder)
    assert find_shapes("owner/name", home) == read_shapes(model_folder)


def test_estimate_without_a_dataset_is_refused(private_home: Path) -> None:
    home = Home.locate()
    with Project.create(home.projects / "p", home=home) as project, pytest.raises(NotFoundError, match="no dataset"):
        read_basis(project)


def test_memory_of_a_sharded_base_is_calculated_per_process() -> None:
    shapes = Shapes(((1_000, 1_000),) * 80, 32_000, 112_000_000, 0, layers=40)
    unsharded = Basis(DATASET, runs=(RUN,), shapes=shapes, tokens=TOKENS)
    assert estimate_training(CONFIG, unsharded).memory_like == RUN
    text = outlook_text(CONFIG, replace(unsharded, shards=4))
    assert "in each of 4 processes, calculated from the base's shapes" in text

"""What a training will take: its steps, and what earlier runs say of time, memory and disk."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import NotFoundError
from engine.model.load import load_base
from engine.model.shapes import find_shapes, read_shapes
from engine.paths import Home
from engine.project import Project
from engine.records.dataset import DatasetSummary
from engine.records.run import Estimated, Run, TrainingConfig
from engine.training.outlook import Basis, error_text, estimate_training, read_basis
from engine.training.presets import Facts, memory_mb
from engine.training.student import trained_parameters, with_new_adapter

CONFIG = TrainingConfig(base="tiny", batch_rows=8, epochs=3.0, device="cpu", dtype="float32")
DATASET = DatasetSummary("d" * 64, "p" * 64, "tiny", train=100, validation=20, created_at="")
RUN = Run(1, DATASET.sha256, CONFIG, "done", "runs/1", step=20, steps=20, train_s=40.0, peak_rss_mb=900.0)


def test_steps_follow_from_rows_batch_and_epochs() -> None:
    basis = Basis(DATASET, (), None, None)
    estimate = estimate_training(CONFIG, basis)
    assert estimate.steps == 3 * 13
    assert (estimate.seconds, estimate.memory_mb, estimate.disk_mb, estimate.like) == (None, None, None, None)
    assert estimate_training(replace(CONFIG, epochs=0.01), basis).steps == 1
    assert estimate_training(CONFIG, replace(basis, dataset=replace(DATASET, train=0))).steps == 0


def test_a_second_stage_counts_its_steps_and_has_no_known_pace() -> None:
    both = replace(CONFIG, on_policy_steps=10)
    estimate = estimate_training(both, Basis(DATASET, (RUN,), None, None))
    assert (estimate.steps, estimate.seconds, estimate.like) == (3 * 13 + 10, None, RUN)
    slow = replace(RUN, id=2, train_s=4000.0, config=both)
    assert estimate_training(CONFIG, Basis(DATASET, (RUN, slow), None, None)).like == RUN


def test_time_and_memory_are_those_of_the_newest_run_like_it() -> None:
    newer = replace(RUN, id=2, train_s=80.0, config=replace(CONFIG, objective="forward_kl"))
    others = (
        replace(RUN, id=3, config=replace(CONFIG, device="cuda")),
        replace(RUN, id=4, config=replace(CONFIG, base="other")),
        replace(RUN, id=5, step=0),
    )
    basis = Basis(DATASET, (RUN, newer, *others), None, None)
    estimate = estimate_training(replace(CONFIG, batch_rows=16), basis)
    assert estimate.like == RUN
    assert estimate.seconds == pytest.approx(40.0 / (20 * 8) * (3 * 7) * 16)
    assert estimate.memory_mb == 900.0
    assert estimate_training(replace(CONFIG, objective="forward_kl"), basis).like == newer


def test_memory_that_was_never_measured_is_reckoned_from_shapes(model_folder: Path) -> None:
    shapes = read_shapes(model_folder)
    basis = Basis(DATASET, (), None, shapes, longest_row_tokens=300)
    wide = estimate_training(CONFIG, basis).memory_mb
    assert wide == memory_mb(CONFIG, Facts(100, 300, shapes, None, 4))
    narrow = estimate_training(replace(CONFIG, dtype="bfloat16"), basis).memory_mb
    assert narrow is not None
    assert wide is not None
    assert narrow < wide
    on_gpu = estimate_training(replace(CONFIG, device="auto", dtype="auto"), replace(basis, auto_is_gpu=True))
    assert on_gpu.memory_mb == narrow
    assert estimate_training(CONFIG, replace(basis, runs=(RUN,))).memory_mb == 900.0


def test_an_estimates_error_is_told_of_what_can_be_compared() -> None:
    done = replace(RUN, device="cpu", disk_mb=90.0, estimate=Estimated(50.0, 1000.0, 60.0))
    assert error_text(done) == (
        "Estimated time 50 s, took 40 s (−20%); memory 1.0 GB, took 900 MB (−10%); disk 60 MB, took 90 MB (+50%)."
    )
    assert error_text(replace(done, step=10)).startswith("Estimated memory"), "it was meant to take longer"
    assert error_text(replace(done, device="cuda:0", estimate=Estimated(None, 1000.0, None))) == ""
    assert error_text(replace(done, state="stopped")) == ""
    assert error_text(RUN) == ""


def test_an_adapter_is_as_large_as_its_shapes_say(model_folder: Path) -> None:
    shapes = read_shapes(model_folder)
    config = replace(CONFIG, lora_rank=5)
    student = with_new_adapter(load_base(model_folder, device="cpu", dtype="float32"), config)
    assert shapes.lora_parameters(5) == sum(parameter.numel() for parameter in trained_parameters(student))
    assert shapes.vocabulary == 259
    assert shapes.size_bytes == (model_folder / "model.safetensors").stat().st_size


def test_disk_grows_with_rank_and_with_what_is_kept_of_the_teacher(model_folder: Path) -> None:
    shapes = read_shapes(model_folder)
    basis = Basis(DATASET, (), 30.0, shapes)
    adapter_mb = shapes.lora_parameters(16) * 4 / 1e6
    teacher_mb = 30 * 120 * (64 * 4 + 2) / 1e6
    assert estimate_training(CONFIG, basis).disk_mb == pytest.approx(10 * adapter_mb + teacher_mb)
    alone = replace(CONFIG, objective="cross_entropy", lora_rank=32)
    assert estimate_training(alone, basis).disk_mb == pytest.approx(20 * adapter_mb)


def test_a_base_that_is_not_here_or_is_broken_has_no_shapes(private_home: Path, tmp_path: Path) -> None:
    home = Home.locate()
    assert find_shapes("starter", home) is None
    assert find_shapes("owner/name", home) is None
    assert find_shapes(str(tmp_path), home) is None
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 64)
    assert find_shapes(str(tmp_path), home) is None


def test_a_base_of_the_hub_is_found_in_the_cache(private_home: Path, model_folder: Path) -> None:
    home = Home.locate()
    snapshot = home.cache / "models" / "hub" / "models--owner--name" / "snapshots" / "abc"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(model_folder)
    assert find_shapes("owner/name", home) == read_shapes(model_folder)


def test_without_a_dataset_there_is_nothing_to_reckon_with(private_home: Path) -> None:
    home = Home.locate()
    with Project.create(home.projects / "p", home=home) as project, pytest.raises(NotFoundError, match="no dataset"):
        read_basis(project)

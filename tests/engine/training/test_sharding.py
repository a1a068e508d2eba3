"""Two real processes that shard the base between them train the same adapter as one that holds all of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.model.load import load_base
from engine.training.sharding import held_bytes
from tests.engine.training import sharded_family_process
from tests.engine.training.two_processes import (
    ROOT,
    assert_same_adapter,
    assert_same_run,
    read_result,
    train_with_one,
    train_with_two,
)
from tests.families import FAMILIES
from tests.tiny import make_tiny_family


@pytest.fixture(scope="module")
def two_ranks(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes trained every run; the last run killed the second one."""
    folder = tmp_path_factory.mktemp("sharded")
    assert train_with_two(model_folder, folder, "sharded") == [0, -9]
    return folder


@pytest.fixture(scope="module")
def one_rank(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which this process alone trained the same runs."""
    folder = tmp_path_factory.mktemp("single")
    train_with_one(model_folder, folder, "everything", "bfloat16", "out_of_memory_mid_pass", "killed_mid_pass")
    return folder


def test_two_ranks_train_the_same_adapter_as_one_with_every_method(two_ranks: Path, one_rank: Path) -> None:
    # Unequal work: steps of five rows in passes of two, answers that end early, general answers from rank 0 only.
    first, second = read_result(two_ranks, "everything", 0), read_result(two_ranks, "everything", 1)
    assert first.adapter == second.adapter
    assert first.step == 6
    assert_same_run(read_result(one_rank, "everything", 0), first)


def test_each_rank_holds_half_of_every_layer_and_the_whole_embedding_table(
    two_ranks: Path, one_rank: Path, model_folder: Path
) -> None:
    whole = held_bytes(load_base(model_folder, device="cpu", dtype="float32"))
    base = load_base(model_folder, device="cpu", dtype="float32").base
    layers = 4 * sum(parameter.numel() for parameter in base.get_decoder().layers.parameters())
    assert whole.own_bytes == whole.whole_bytes == read_result(one_rank, "everything", 0).own_bytes
    for rank in (0, 1):
        held = read_result(two_ranks, "everything", rank)
        assert held.whole_bytes == whole.whole_bytes
        assert held.own_bytes == whole.whole_bytes - layers // 2
        in_bfloat16 = read_result(two_ranks, "bfloat16", rank)
        assert in_bfloat16.own_bytes == held.own_bytes // 2


def test_bfloat16_base_is_sharded_with_a_float32_adapter(two_ranks: Path, one_rank: Path) -> None:
    sharded, whole = read_result(two_ranks, "bfloat16", 0), read_result(one_rank, "bfloat16", 0)
    assert sharded.adapter == read_result(two_ranks, "bfloat16", 1).adapter
    assert sharded.losses == pytest.approx(whole.losses, rel=2e-2)


def test_out_of_memory_mid_pass_on_one_rank_halves_the_rows_per_pass_on_both(two_ranks: Path, one_rank: Path) -> None:
    first, second = (
        read_result(two_ranks, "out_of_memory_mid_pass", 0),
        read_result(two_ranks, "out_of_memory_mid_pass", 1),
    )
    assert (first.micro_batch_rows, second.micro_batch_rows) == (1, 1)
    assert (first.ended, first.step) == ("", 4)
    assert first.adapter == second.adapter
    assert_same_adapter(first, read_result(one_rank, "out_of_memory_mid_pass", 0))


def test_rank_killed_mid_pass_ends_the_other_and_one_process_resumes(
    two_ranks: Path, one_rank: Path, model_folder: Path
) -> None:
    assert "A process of the run was lost." in read_result(two_ranks, "killed_mid_pass", 0).ended
    assert not (two_ranks / "killed_mid_pass" / "1.json").exists()
    train_with_one(model_folder, two_ranks, "killed_mid_pass")
    resumed = read_result(two_ranks, "killed_mid_pass", 0)
    assert (resumed.step, resumed.ended) == (8, "")
    assert_same_adapter(resumed, read_result(one_rank, "killed_mid_pass", 0))


@pytest.mark.slow
def test_every_model_family_is_sharded_with_equal_logits(tmp_path: Path) -> None:
    decoders = {family.config: family for family in FAMILIES.values()}  # some families differ only in their templates
    for name, family in decoders.items():
        make_tiny_family(tmp_path / f"base-{name}", family)
    command = [sys.executable, "-m", sharded_family_process.__name__, str(tmp_path)]
    both = [subprocess.Popen([*command, str(rank)], cwd=ROOT) for rank in (0, 1)]
    assert [process.wait(120) for process in both] == [0, 0]
    for rank in (0, 1):
        found: dict[str, tuple[float, float]] = json.loads((tmp_path / f"{rank}.json").read_text(encoding="utf-8"))
        assert found.keys() == {f"base-{name}" for name in decoders}
        for difference, share in found.values():
            assert difference < 1e-5
            assert share < 0.8  # the rest is the embedding table

"""Two real processes that hold the base's layers between them train as one does that holds the whole."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.model.load import load_base
from engine.training.sharding import held_bytes
from tests.engine.training import shared_families
from tests.engine.training.ranked import ROOT, assert_alike, assert_close, facts, statuses_of_two, train_alone
from tests.families import FAMILIES
from tests.tiny import make_tiny_family


@pytest.fixture(scope="module")
def pair(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have trained every run."""
    folder = tmp_path_factory.mktemp("sharded")
    assert statuses_of_two(model_folder, folder, "sharded") == [0, -9]
    return folder


@pytest.fixture(scope="module")
def alone(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which this process alone has trained them."""
    folder = tmp_path_factory.mktemp("alone")
    train_alone(model_folder, folder, "everything", "half", "torn", "struck")
    return folder


def test_processes_with_unequal_work_train_the_adapter_of_one_with_every_method(pair: Path, alone: Path) -> None:
    # Steps of five rows in passes of two, answers that end early, and general questions that the first alone answers.
    first, second = facts(pair, "everything", 0), facts(pair, "everything", 1)
    assert first.adapter == second.adapter
    assert first.step == 6
    assert_alike(facts(alone, "everything", 0), first)


def test_each_process_holds_half_of_every_layer_and_the_whole_table_of_tokens(
    pair: Path, alone: Path, model_folder: Path
) -> None:
    whole = held_bytes(load_base(model_folder, device="cpu", dtype="float32"))
    base = load_base(model_folder, device="cpu", dtype="float32").base
    layers = 4 * sum(parameter.numel() for parameter in base.get_decoder().layers.parameters())
    assert whole.own_bytes == whole.whole_bytes == facts(alone, "everything", 0).own_bytes
    for rank in (0, 1):
        held = facts(pair, "everything", rank)
        assert held.whole_bytes == whole.whole_bytes
        assert held.own_bytes == whole.whole_bytes - layers // 2
        halved = facts(pair, "half", rank)
        assert halved.own_bytes == held.own_bytes // 2


def test_a_base_in_bfloat16_is_shared_under_an_adapter_in_float32(pair: Path, alone: Path) -> None:
    ours, theirs = facts(pair, "half", 0), facts(alone, "half", 0)
    assert ours.adapter == facts(pair, "half", 1).adapter
    assert ours.losses == pytest.approx(theirs.losses, rel=2e-2)


def test_memory_that_lacks_in_the_middle_of_a_pass_on_one_process_halves_the_micro_batch_on_both(
    pair: Path, alone: Path
) -> None:
    first, second = facts(pair, "torn", 0), facts(pair, "torn", 1)
    assert (first.micro_batch_rows, second.micro_batch_rows) == (1, 1)
    assert (first.ended, first.step) == ("", 4)
    assert first.adapter == second.adapter
    assert_close(first, facts(alone, "torn", 0))


def test_a_process_that_is_killed_in_the_middle_of_a_pass_ends_the_other_and_one_goes_on_with_the_whole_base(
    pair: Path, alone: Path, model_folder: Path
) -> None:
    assert "A process of the run was lost." in facts(pair, "struck", 0).ended
    assert not (pair / "struck" / "1.json").exists()
    train_alone(model_folder, pair, "struck")
    gone_on = facts(pair, "struck", 0)
    assert (gone_on.step, gone_on.ended) == (8, "")
    assert_close(gone_on, facts(alone, "struck", 0))


@pytest.mark.slow
def test_the_layers_of_every_family_are_shared_and_compute_as_before(tmp_path: Path) -> None:
    decoders = {family.config: family for family in FAMILIES.values()}  # some differ in their templates alone
    for name, family in decoders.items():
        make_tiny_family(tmp_path / f"base-{name}", family)
    command = [sys.executable, "-m", shared_families.__name__, str(tmp_path)]
    both = [subprocess.Popen([*command, str(rank)], cwd=ROOT) for rank in (0, 1)]
    assert [process.wait(120) for process in both] == [0, 0]
    for rank in (0, 1):
        found: dict[str, tuple[float, float]] = json.loads((tmp_path / f"{rank}.json").read_text(encoding="utf-8"))
        assert found.keys() == {f"base-{name}" for name in decoders}
        for difference, share in found.values():
            assert difference < 1e-5
            assert share < 0.8  # the rest of these is the table of tokens

"""Two real processes over loopback train the same adapter as one, and end together whatever happens to one of them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.training.ranks import ALONE, Ranks
from engine.training.state import spread_state
from tests.engine.training.two_processes import (
    assert_same_adapter,
    assert_same_run,
    read_result,
    train_with_one,
    train_with_two,
)


@pytest.fixture(scope="module")
def two_ranks(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes trained every run; the last run killed the second one."""
    folder = tmp_path_factory.mktemp("two")
    assert train_with_two(model_folder, folder, "whole") == [0, -9]
    return folder


@pytest.fixture(scope="module")
def one_rank(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which this process alone trained the runs to compare with."""
    folder = tmp_path_factory.mktemp("single")
    train_with_one(model_folder, folder, "everything", "stopped", "separate_disks")
    return folder


def test_two_processes_train_the_same_adapter_as_one(two_ranks: Path, one_rank: Path) -> None:
    first, second = read_result(two_ranks, "everything", 0), read_result(two_ranks, "everything", 1)
    assert first.adapter == second.adapter
    assert first.step == 6
    assert_same_run(read_result(one_rank, "everything", 0), first)


def cached_distributions(caches: Path) -> list[dict[str, torch.Tensor]]:
    """The contents of the cache files in `caches`, the largest first."""
    return sorted(map(load_file, caches.glob("teacher-*")), key=lambda found: -len(found["tail"]))


def test_each_row_is_scored_by_one_rank_with_the_result_of_one_process(two_ranks: Path, one_rank: Path) -> None:
    # 21 dataset rows in passes of 4, then the rows of the general questions.
    scored = [read_result(two_ranks, "everything", rank).scored for rank in (0, 1)]
    assert sum(scored) == read_result(one_rank, "everything", 0).scored > 21
    assert max(scored) - min(scored) <= 8
    of_two, of_one = (cached_distributions(folder / "everything" / "caches") for folder in (two_ranks, one_rank))
    assert len(of_two) == len(of_one) == 2
    for one, other in zip(of_two, of_one, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_machines_with_separate_disks_exchange_the_scored_distributions(two_ranks: Path, one_rank: Path) -> None:
    both = [read_result(two_ranks, "separate_disks", rank) for rank in (0, 1)]
    assert [one.scored for one in both] == [12, 9]
    assert both[0].adapter == both[1].adapter
    (expected,) = cached_distributions(one_rank / "separate_disks" / "caches-0")
    for rank in (0, 1):
        (found,) = cached_distributions(two_ranks / "separate_disks" / f"caches-{rank}")
        assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())
    assert_same_run(read_result(one_rank, "separate_disks", 0), both[0])


def test_out_of_memory_on_one_rank_halves_the_rows_per_pass_on_both(two_ranks: Path, one_rank: Path) -> None:
    first, second = read_result(two_ranks, "rank_out_of_memory", 0), read_result(two_ranks, "rank_out_of_memory", 1)
    assert (first.micro_batch_rows, second.micro_batch_rows) == (1, 1)
    assert first.adapter == second.adapter
    assert_same_adapter(first, read_result(one_rank, "stopped", 0))


def test_optimizer_out_of_memory_on_one_rank_ends_both_with_its_error(two_ranks: Path) -> None:
    first, second = (
        read_result(two_ranks, "optimizer_out_of_memory", 0),
        read_result(two_ranks, "optimizer_out_of_memory", 1),
    )
    assert (first.micro_batch_rows, second.micro_batch_rows) == (2, 2), "the flat gradient vector is allocated again"
    assert (first.step, second.step) == (1, 1)
    assert second.ended.startswith("ModelError: The adapter's optimizer and its state do not fit")
    assert first.ended.startswith("EndedElsewhere")
    assert "Process 2 of 2: The adapter's optimizer" in first.ended


def test_loss_that_is_not_finite_on_one_rank_is_skipped_on_both(two_ranks: Path) -> None:
    first, second = read_result(two_ranks, "rank_loss_not_finite", 0), read_result(two_ranks, "rank_loss_not_finite", 1)
    assert (first.skipped, second.skipped) == (2, 2)
    assert first.adapter == second.adapter
    assert len(first.losses) == 6


def test_error_on_one_rank_ends_the_other_with_the_same_reason(two_ranks: Path) -> None:
    assert read_result(two_ranks, "rank_raises", 1).ended == "ValueError: the last rank failed"
    assert "Process 2 of 2: the last rank failed" in read_result(two_ranks, "rank_raises", 0).ended


def test_stop_ends_both_ranks_and_one_process_resumes(two_ranks: Path, one_rank: Path, model_folder: Path) -> None:
    assert read_result(two_ranks, "stopped", 0).ended.startswith("JobStopped")
    assert read_result(two_ranks, "stopped", 1).ended.startswith("EndedElsewhere")
    assert read_result(two_ranks, "stopped", 0).step == 3
    train_with_one(model_folder, two_ranks, "stopped")
    resumed = read_result(two_ranks, "stopped", 0)
    assert len(resumed.losses) == 5
    uninterrupted = read_result(one_rank, "stopped", 0)
    assert resumed.losses == pytest.approx(uninterrupted.losses[3:], rel=1e-4)


def test_killed_rank_ends_the_other_and_the_run_resumes_from_its_checkpoint(
    two_ranks: Path, one_rank: Path, model_folder: Path
) -> None:
    ended = read_result(two_ranks, "rank_killed", 0)
    assert "A process of the run was lost." in ended.ended
    assert not (two_ranks / "rank_killed" / "1.json").exists()
    train_with_one(model_folder, two_ranks, "rank_killed")
    resumed, uninterrupted = read_result(two_ranks, "rank_killed", 0), read_result(one_rank, "stopped", 0)
    assert (resumed.step, resumed.ended) == (8, "")
    assert_same_adapter(resumed, uninterrupted)


def test_parameter_without_optimizer_state_resumes_on_several_processes() -> None:
    sent: list[torch.Tensor] = []

    class FirstOfTwo(Ranks):
        """The first of two ranks, without a real second one."""

        def first_decides(self, decide: Callable[[], bool]) -> bool:
            return decide()

        def together(self) -> AbstractContextManager[None]:
            return nullcontext()

        def spread(self, tensors: Sequence[torch.Tensor]) -> None:
            sent.extend(tensors)

    one, other = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.AdamW([one, other])
    one.grad = torch.ones(2)
    optimizer.step()
    state = {key: value.clone() for key, value in optimizer.state[one].items()}
    spread_state(FirstOfTwo(0, 2), [one, other], optimizer)
    assert len(sent) == 2 + 2 * 3
    assert all(torch.equal(optimizer.state[one][key], value) for key, value in state.items())
    assert [float(value.sum()) for value in optimizer.state[other].values()] == [0.0, 0.0, 0.0]
    other.grad = torch.ones(2)
    optimizer.step()
    assert float(optimizer.state[other]["step"]) == 1.0


def test_exchanges_of_a_single_process_return_their_input() -> None:
    with pytest.raises(ValueError, match="mine"), ALONE.together():
        raise ValueError("mine")
    assert ALONE.share([1, 2, 3]) == [1, 2, 3]
    assert ALONE.sum([0.1]) == [0.1]
    assert ALONE.first_decides(lambda: True)

"""Two real processes over loopback train as one does, and end together whatever happens to one of them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.training.ranks import ALONE, Ranks
from engine.training.state import spread_state
from tests.engine.training.ranked import assert_alike, assert_close, facts, statuses_of_two, train_alone


@pytest.fixture(scope="module")
def pair(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have trained every run."""
    folder = tmp_path_factory.mktemp("pair")
    assert statuses_of_two(model_folder, folder, "whole") == [0, -9]
    return folder


@pytest.fixture(scope="module")
def alone(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which this process alone has trained the run of every method and a plain one."""
    folder = tmp_path_factory.mktemp("alone")
    train_alone(model_folder, folder, "everything", "stopped", "apart")
    return folder


def test_two_processes_train_the_adapter_of_one(pair: Path, alone: Path) -> None:
    first, second = facts(pair, "everything", 0), facts(pair, "everything", 1)
    assert first.adapter == second.adapter
    assert first.step == 6
    assert_alike(facts(alone, "everything", 0), first)


def distributions(caches: Path) -> list[dict[str, torch.Tensor]]:
    """What the files there hold, those of the most tokens first."""
    return sorted(map(load_file, caches.glob("teacher-*")), key=lambda found: -len(found["tail"]))


def test_each_row_is_scored_once_by_one_of_both_with_the_numbers_of_one_process(pair: Path, alone: Path) -> None:
    # 21 rows of the dataset in passes of 4, then those of the general questions.
    both, whole = [facts(pair, "everything", rank).scored for rank in (0, 1)], facts(alone, "everything", 0).scored
    assert sum(both) == whole > 21
    assert max(both) - min(both) <= 8
    ours, theirs = (distributions(folder / "everything" / "caches") for folder in (pair, alone))
    assert len(ours) == len(theirs) == 2
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_machine_that_does_not_see_the_firsts_disk_is_sent_what_both_have_scored(pair: Path, alone: Path) -> None:
    both = [facts(pair, "apart", rank) for rank in (0, 1)]
    assert [one.scored for one in both] == [12, 9]
    assert both[0].adapter == both[1].adapter
    (expected,) = distributions(alone / "apart" / "caches-0")
    for rank in (0, 1):
        (found,) = distributions(pair / "apart" / f"caches-{rank}")
        assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())
    assert_alike(facts(alone, "apart", 0), both[0])


def test_memory_that_lacks_on_one_rank_halves_the_micro_batch_on_both(pair: Path, alone: Path) -> None:
    first, second = facts(pair, "cramped", 0), facts(pair, "cramped", 1)
    assert (first.micro_batch_rows, second.micro_batch_rows) == (1, 1)
    assert first.adapter == second.adapter
    assert_close(first, facts(alone, "stopped", 0))


def test_memory_that_lacks_beside_the_passes_of_one_rank_lets_neither_die_alone(pair: Path) -> None:
    first, second = facts(pair, "heavy", 0), facts(pair, "heavy", 1)
    assert (first.micro_batch_rows, second.micro_batch_rows) == (2, 2), "the vector of all gradients is made again"
    assert (first.step, second.step) == (1, 1)
    assert second.ended.startswith("ModelError: The adapter's optimizer and its state do not fit")
    assert first.ended.startswith("EndedElsewhere")
    assert "Process 2 of 2: The adapter's optimizer" in first.ended


def test_a_loss_that_is_not_finite_on_one_rank_is_skipped_on_both(pair: Path) -> None:
    first, second = facts(pair, "spoiled", 0), facts(pair, "spoiled", 1)
    assert (first.skipped, second.skipped) == (2, 2)
    assert first.adapter == second.adapter
    assert len(first.losses) == 6


def test_an_error_on_one_rank_ends_the_other_with_its_reason(pair: Path) -> None:
    assert facts(pair, "failing", 1).ended == "ValueError: the last rank has had enough"
    assert "Process 2 of 2: the last rank has had enough" in facts(pair, "failing", 0).ended


def test_a_stop_ends_both_and_one_process_goes_on(pair: Path, alone: Path, model_folder: Path) -> None:
    assert facts(pair, "stopped", 0).ended.startswith("JobStopped")
    assert facts(pair, "stopped", 1).ended.startswith("EndedElsewhere")
    assert facts(pair, "stopped", 0).step == 3
    train_alone(model_folder, pair, "stopped")
    gone_on = facts(pair, "stopped", 0)
    assert len(gone_on.losses) == 5
    quiet = facts(alone, "stopped", 0)
    assert gone_on.losses == pytest.approx(quiet.losses[3:], rel=1e-4)


def test_a_rank_that_is_killed_ends_the_other_and_the_run_goes_on_from_its_checkpoint(
    pair: Path, alone: Path, model_folder: Path
) -> None:
    ended = facts(pair, "dying", 0)
    assert "A process of the run was lost." in ended.ended
    assert not (pair / "dying" / "1.json").exists()
    train_alone(model_folder, pair, "dying")
    gone_on, quiet = facts(pair, "dying", 0), facts(alone, "stopped", 0)
    assert (gone_on.step, gone_on.ended) == (8, "")
    assert_close(gone_on, quiet)


def test_a_parameter_that_never_had_a_gradient_goes_on_with_several_processes() -> None:
    told: list[torch.Tensor] = []

    class Leading(Ranks):
        """The first of two, of whom the other only listens."""

        def first_decides(self, decide: Callable[[], bool]) -> bool:
            return decide()

        def together(self) -> AbstractContextManager[None]:
            return nullcontext()

        def spread(self, tensors: Sequence[torch.Tensor]) -> None:
            told.extend(tensors)

    one, other = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.AdamW([one, other])
    one.grad = torch.ones(2)
    optimizer.step()
    kept = {key: value.clone() for key, value in optimizer.state[one].items()}
    spread_state(Leading(0, 2), [one, other], optimizer)
    assert len(told) == 2 + 2 * 3
    assert all(torch.equal(optimizer.state[one][key], value) for key, value in kept.items())
    assert [float(value.sum()) for value in optimizer.state[other].values()] == [0.0, 0.0, 0.0]
    other.grad = torch.ones(2)
    optimizer.step()
    assert float(optimizer.state[other]["step"]) == 1.0


def test_alone_every_exchange_gives_back_what_it_got() -> None:
    with pytest.raises(ValueError, match="mine"), ALONE.together():
        raise ValueError("mine")
    assert ALONE.share([1, 2, 3]) == [1, 2, 3]
    assert ALONE.sum([0.1]) == [0.1]
    assert ALONE.first_decides(lambda: True)

"""Runs of one process and of two, for tests: how they went on each rank, and whether two went alike."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from engine.training import distributions, general
from engine.training import trainer as trainer_module
from tests.engine.training import rank_process
from tests.trained import one_thread

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Facts:
    """How a run went on one rank."""

    ended: str
    scored: int
    own_bytes: int
    whole_bytes: int
    step: int
    skipped: int
    micro_batch_rows: int
    losses: list[float]
    validation_kl: list[float]
    answers: list[float]
    adapter: list[float]


def facts(folder: Path, name: str, rank: int) -> Facts:
    return Facts(**json.loads((folder / name / f"{rank}.json").read_text(encoding="utf-8")))


def statuses_of_two(model_folder: Path, folder: Path, how: str) -> list[int]:
    """How two processes have ended that trained in `folder`."""
    command = [sys.executable, "-m", rank_process.__name__, str(model_folder), str(folder)]
    ranks = [subprocess.Popen([*command, str(rank), "2", how], cwd=ROOT) for rank in range(2)]
    try:
        return [process.wait(280) for process in ranks]
    finally:
        for process in ranks:
            process.kill()
            process.wait()


def train_alone(model_folder: Path, folder: Path, *names: str) -> None:
    """Train the runs of these names in this process, each in a folder of its own in `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        one_thread(patch)
        # What is changed for good, because it is meant for processes of their own, is put back.
        changed = ((distributions, "_ROWS_A_PASS"), (distributions, "score"), (general, "_ANSWER_TOKENS"))
        for module, name in (*changed, (trainer_module, "add_gradients")):
            patch.setattr(module, name, getattr(module, name))
        for name in names:
            rank_process.train(name, model_folder, folder, rank_process.rows_of(model_folder))


def assert_close(one: Facts, other: Facts) -> None:
    """Equal within rounding. Where a gradient is next to nothing, its rounding decides which way Adam steps."""
    ours, theirs = (torch.tensor(found.adapter) for found in (one, other))
    assert float(((ours - theirs).abs() > 1e-5).double().mean()) < 0.002
    assert torch.allclose(ours, theirs, atol=1e-3)


def assert_alike(one: Facts, other: Facts) -> None:
    assert (one.step, one.ended) == (other.step, other.ended)
    assert other.losses == pytest.approx(one.losses, rel=1e-4)
    assert other.validation_kl == pytest.approx(one.validation_kl, rel=1e-4)
    assert one.answers == other.answers
    assert_close(one, other)

"""Runs of one process and of two, for tests: train them, read how they ended on each rank, compare them."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tests.engine.training import rank_process
from tests.trained import use_one_thread

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class RankResult:
    """How a run ended on one rank, and what it measured there."""

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


def read_result(folder: Path, name: str, rank: int) -> RankResult:
    return RankResult(**json.loads((folder / name / f"{rank}.json").read_text(encoding="utf-8")))


def train_with_two(model_folder: Path, folder: Path, mode: str) -> list[int]:
    """Train all runs of `mode` in `folder` with two processes; returns their exit statuses."""
    command = [sys.executable, "-m", rank_process.__name__, str(model_folder), str(folder)]
    ranks = [subprocess.Popen([*command, str(rank), "2", mode], cwd=ROOT) for rank in range(2)]
    try:
        return [process.wait(280) for process in ranks]
    finally:
        for process in ranks:
            process.kill()
            process.wait()


def train_with_one(model_folder: Path, folder: Path, *names: str) -> None:
    """Train the runs of these names in this process, each in its own folder in `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        use_one_thread(patch)
        for name in names:
            rank_process.train(name, model_folder, folder, rank_process.rows_of(model_folder), patch)


def assert_same_adapter(one: RankResult, other: RankResult) -> None:
    """Assert equal adapters within rounding: for tiny gradients, rounding decides in which direction Adam steps."""
    first, second = (torch.tensor(result.adapter) for result in (one, other))
    assert float(((first - second).abs() > 1e-5).double().mean()) < 0.002
    assert torch.allclose(first, second, atol=1e-3)


def assert_same_run(one: RankResult, other: RankResult) -> None:
    assert (one.step, one.ended) == (other.step, other.ended)
    assert other.losses == pytest.approx(one.losses, rel=1e-4)
    assert other.validation_kl == pytest.approx(one.validation_kl, rel=1e-4)
    assert one.answers == other.answers
    assert_same_adapter(one, other)

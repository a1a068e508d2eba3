"""On a simulated GPU the engine generates, scores and trains with the results of the CPU, and with few transfers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.gpu.workload import ANSWER_TOKENS, ON_POLICY_STEPS, STEPS, run_workload
from tests.tiny import make_tiny_base
from tests.trained import make_tiny_adapter

Transfers = list[tuple[str, dict[str, int]]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("models") / "base", hidden_size=64)


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_adapter(base, tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="module")
def on_gpu(base: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.engine.gpu.run_on_simulated_gpu", str(base), str(adapter)]
    done = subprocess.run(
        [*command, str(tmp_path_factory.mktemp("gpu")), "9"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5_000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def on_cpu(base: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        json.dumps(run_workload(base, adapter, tmp_path_factory.mktemp("on_cpu"), "cpu"))
    )
    return found


def numbers(found: Any) -> list[float]:
    return [number for each in found for number in numbers(each)] if isinstance(found, list) else [found]


def test_simulated_gpu_rejects_what_a_real_one_rejects(on_gpu: dict[str, Any]) -> None:
    assert on_gpu["rejected"] == [
        "gpu + cpu", "gpu @ cpu", "cpu[gpu index]", "gpu.index_put_(cpu)", "cat", "numpy", "embedding",
    ]  # fmt: skip


def test_gpu_is_the_default_device_and_computes_in_bfloat16(on_gpu: dict[str, Any]) -> None:
    assert (on_gpu["device"], on_gpu["default dtype"]) == ("cuda", "torch.bfloat16")


@pytest.mark.parametrize("part", ["answers", "turns"])
def test_answers_are_the_same_as_on_the_cpu(part: str, on_cpu: dict[str, Any], on_gpu: dict[str, Any]) -> None:
    assert len(numbers(on_cpu[part])) > 4 * ANSWER_TOKENS
    assert on_gpu[part] == on_cpu[part]


def test_scores_and_training_are_the_same_as_on_the_cpu(on_cpu: dict[str, Any], on_gpu: dict[str, Any]) -> None:
    steps, _points = on_cpu["run"]
    assert {step for step, *_ in steps} == set(range(1, STEPS + ON_POLICY_STEPS + 1))
    assert numbers(on_gpu["scores"]) == pytest.approx(numbers(on_cpu["scores"]), abs=1e-4)
    assert numbers(on_gpu["run"]) == pytest.approx(numbers(on_cpu["run"]), rel=1e-3, abs=1e-3)
    assert numbers(on_gpu["run in bfloat16"]) == pytest.approx(numbers(on_cpu["run in bfloat16"]), rel=2e-2, abs=2e-2)


def test_step_waits_at_most_six_times_for_the_gpu_and_a_token_five_times(on_gpu: dict[str, Any]) -> None:
    """During each wait the GPU is idle for as long as a few small operations take."""
    transfers: Transfers = on_gpu["transfers"]
    last_of_first_stage = dict(transfers)[f"step {STEPS}"]
    assert last_of_first_stage["to the host"] + last_of_first_stage.get("waits", 0) <= 6
    assert last_of_first_stage["queued"] > 0
    assert "to the device" not in last_of_first_stage, "such a copy waits for all work before it"
    decoding_steps = 2 * 2 * ANSWER_TOKENS  # two temperatures; five rows in batches of three
    assert 0 < dict(transfers)["answers"]["to the host"] <= 5 * decoding_steps

"""On a GPU, which is played, the same is said, scored and learned as on the processor, and little is carried over."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.gpu.everything import ANSWER_TOKENS, ON_POLICY_STEPS, STEPS, everything
from tests.tiny import make_tiny_base
from tests.trained import make_tiny_adapter

Carried = list[tuple[str, dict[str, int]]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("models") / "base", hidden_size=64)


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_adapter(base, tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="module")
def there(base: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    words = [sys.executable, "-m", "tests.engine.gpu.process", str(base), str(adapter)]
    done = subprocess.run(
        [*words, str(tmp_path_factory.mktemp("there")), "9"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5_000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def here(base: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(everything(base, adapter, tmp_path_factory.mktemp("here"), "cpu")))
    return found


def numbers(found: Any) -> list[float]:
    return [number for each in found for number in numbers(each)] if isinstance(found, list) else [found]


def test_the_gpu_that_is_played_refuses_what_a_real_one_does(there: dict[str, Any]) -> None:
    assert there["refused"] == ["a + here", "a @ here", "here[at]", "a.index_put_", "cat", "numpy", "embedding"]


def test_it_is_the_device_that_is_taken_unasked_and_computes_in_its_own_type(there: dict[str, Any]) -> None:
    assert (there["device"], there["own type"]) == ("cuda", "torch.bfloat16")


@pytest.mark.parametrize("part", ["answers", "turns"])
def test_the_same_is_said(part: str, here: dict[str, Any], there: dict[str, Any]) -> None:
    assert len(numbers(here[part])) > 4 * ANSWER_TOKENS
    assert there[part] == here[part]


def test_the_same_is_scored_and_learned(here: dict[str, Any], there: dict[str, Any]) -> None:
    steps, _points = here["run"]
    assert {step for step, *_ in steps} == set(range(1, STEPS + ON_POLICY_STEPS + 1))
    assert numbers(there["scores"]) == pytest.approx(numbers(here["scores"]), abs=1e-4)
    assert numbers(there["run"]) == pytest.approx(numbers(here["run"]), rel=1e-3, abs=1e-3)
    assert numbers(there["run in bfloat16"]) == pytest.approx(numbers(here["run in bfloat16"]), rel=2e-2, abs=2e-2)


def test_a_step_waits_for_the_gpu_a_few_times_and_a_token_five_times(there: dict[str, Any]) -> None:
    """Each wait leaves it idle for as long as some small operations take."""
    carried: Carried = there["carried"]
    last_of_first_stage = dict(carried)[f"step {STEPS}"]
    assert last_of_first_stage["to the host"] + last_of_first_stage.get("waits", 0) <= 6
    told = 2 * 2 * ANSWER_TOKENS  # two temperatures; five rows in three places
    assert 0 < dict(carried)["answers"]["to the host"] <= 5 * told

"""This program's sides of the training benchmark on a tiny model: they run, and equivalent ways agree."""

from pathlib import Path

import pytest

from tests.benchmarks.contenders.decoding import Decoding
from tests.benchmarks.contenders.material import write_material
from tests.benchmarks.contenders.scoring import Scoring
from tests.benchmarks.contenders.teacher_every_step import TeacherInEveryStep
from tests.benchmarks.contenders.training import Training
from tests.tiny import make_tiny_base
from tests.trained import use_one_thread

LENGTH = 600  # bytes of the prompt, which are tokens of the tiny model


@pytest.fixture(autouse=True)
def single_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    use_one_thread(monkeypatch)


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("sides")
    model = make_tiny_base(folder / "base")
    write_material(model, (LENGTH,), folder / "material.json")
    return {"model": model, "material": folder / "material.json", "length": LENGTH, "threads": 1, "rows": 2}


@pytest.mark.parametrize("side", [Training, TeacherInEveryStep])
def test_both_ways_of_training_report_cost_and_held_out_kl(
    options: dict[str, object], side: type[Training | TeacherInEveryStep]
) -> None:
    contender = side({**options, "objective": "forward_kl", "epochs": 1, "batch_rows": 2})
    assert contender.measure()["cpu_s"] > 0
    assert contender.report()["kl"]


def test_training_writes_its_batches_for_the_peer(options: dict[str, object], tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    training_options = {**options, "objective": "cross_entropy", "epochs": 1, "batch_rows": 2, "proof": proof}
    assert Training(training_options).report()["losses"]
    assert (proof / "batches.json").is_file()
    assert (proof / "adapter_model.safetensors").is_file()


def test_scoring_agrees_with_and_without_the_prompt_cache(options: dict[str, object]) -> None:
    whole = Scoring({**options, "dtype": "float32", "shared": False})
    assert whole.measure()["row_s"] > 0
    assert float(str(whole.report()["apart"])) < 1e-4


def test_decoding_agrees_with_shared_and_copied_cache(options: dict[str, object]) -> None:
    copied = Decoding({**options, "dtype": "float32", "shared": False, "tokens": 6})
    assert copied.measure()["tokens_per_cpu_s"] > 0
    assert float(str(copied.report()["apart"])) < 1e-3

"""This program's sides of the training benchmark, on a tiny model: they run, and both ways agree."""

from pathlib import Path

import pytest

from tests.benchmarks.contenders.decoding import Decoding
from tests.benchmarks.contenders.material import write_material
from tests.benchmarks.contenders.plain import Plain
from tests.benchmarks.contenders.scoring import Scoring
from tests.benchmarks.contenders.training import Training
from tests.tiny import make_tiny_base
from tests.trained import one_thread

LENGTH = 600  # bytes of the prompt, which are the tiny model's tokens


@pytest.fixture(autouse=True)
def single_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    one_thread(monkeypatch)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("sides")
    model = make_tiny_base(folder / "base")
    write_material(model, (LENGTH,), folder / "material.json")
    return {"model": model, "material": folder / "material.json", "length": LENGTH, "threads": 1, "rows": 2}


@pytest.mark.parametrize("side", [Training, Plain])
def test_both_trainings_tell_their_cost_and_how_far_they_came(
    words: dict[str, object], side: type[Training | Plain]
) -> None:
    trained = side({**words, "objective": "forward_kl", "epochs": 1, "batch_rows": 2})
    assert trained.measure()["cpu_s"] > 0
    assert trained.tell()["kl"]


def test_the_batches_for_the_peer_are_written(words: dict[str, object], tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    asked = {**words, "objective": "cross_entropy", "epochs": 1, "batch_rows": 2, "proof": proof}
    assert Training(asked).tell()["losses"]
    assert (proof / "batches.json").is_file()
    assert (proof / "adapter_model.safetensors").is_file()


def test_both_ways_of_scoring_agree(words: dict[str, object]) -> None:
    whole = Scoring({**words, "dtype": "float32", "shared": False})
    assert whole.measure()["row_s"] > 0
    assert float(str(whole.tell()["apart"])) < 1e-4


def test_both_ways_of_decoding_agree(words: dict[str, object]) -> None:
    copied = Decoding({**words, "dtype": "float32", "shared": False, "tokens": 6})
    assert copied.measure()["tokens_per_cpu_s"] > 0
    assert float(str(copied.tell()["apart"])) < 1e-3

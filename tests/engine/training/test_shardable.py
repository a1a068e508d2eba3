"""Runs whose base cannot be sharded are refused before anything is loaded, with advice."""

from dataclasses import replace

import pytest

from engine.errors import UsageError
from engine.records.run import AdapterKind, QuantizedBase
from engine.training.shardable import require_shardable
from tests.engine.training.trainer_helpers import CONFIG


@pytest.mark.parametrize("adapter", ["lora", "rslora"])
def test_lora_on_an_unquantised_base_can_be_sharded(adapter: AdapterKind) -> None:
    require_shardable(replace(CONFIG, adapter=adapter), 2)


@pytest.mark.parametrize(
    ("processes", "adapter", "quantize", "advice"),
    [
        (1, "lora", "none", "--processes 2"),
        (2, "dora", "none", "--adapter lora or rslora"),
        (2, "full", "none", "--adapter lora"),
        (2, "lora", "nf4", "without --quantize-base"),
    ],
)
def test_other_runs_are_refused_with_advice(
    processes: int, adapter: AdapterKind, quantize: QuantizedBase, advice: str
) -> None:
    with pytest.raises(UsageError, match=advice):
        require_shardable(replace(CONFIG, adapter=adapter, quantize_base=quantize), processes)

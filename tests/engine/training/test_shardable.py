"""Runs whose base cannot be shared are refused before anything is loaded, with what would do."""

from dataclasses import replace

import pytest

from engine.errors import UsageError
from engine.records.run import AdapterKind, QuantizedBase
from engine.training.shardable import require_shardable
from tests.engine.training.runs import CONFIG


@pytest.mark.parametrize("adapter", ["lora", "rslora"])
def test_a_frozen_base_under_matrices_can_be_sharded(adapter: AdapterKind) -> None:
    require_shardable(replace(CONFIG, adapter=adapter), 2)


@pytest.mark.parametrize(
    ("processes", "adapter", "quantize", "told"),
    [
        (1, "lora", "none", "--processes 2"),
        (2, "dora", "none", "--adapter lora or rslora"),
        (2, "full", "none", "--adapter lora"),
        (2, "lora", "nf4", "without --quantize-base"),
    ],
)
def test_what_cannot_be_sharded_is_refused(
    processes: int, adapter: AdapterKind, quantize: QuantizedBase, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        require_shardable(replace(CONFIG, adapter=adapter, quantize_base=quantize), processes)

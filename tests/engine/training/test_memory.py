"""What a run tells of memory beside its own process's."""

import pytest
import torch

from engine.training.memory import device_memory


def test_a_graphics_cards_peak_is_told_and_a_processors_is_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {torch.device("cuda", 1): 3_000_000_000}
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", held.__getitem__)
    assert device_memory(torch.device("cuda", 1)) == {"gpu_peak_mb": 3_000.0}
    assert device_memory(torch.device("cpu")) == {}

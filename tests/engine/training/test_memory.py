"""Memory that a run reports, and freed memory that is returned to the operating system."""

import ctypes

import psutil
import pytest
import torch

from engine.training import memory
from engine.training.memory import device_memory, trimmed_rss_mb


def test_peak_memory_is_reported_for_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    reserved = {torch.device("cuda", 1): 3_000_000_000}
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", reserved.__getitem__)
    assert device_memory(torch.device("cuda", 1)) == {"gpu_peak_mb": 3_000.0}
    assert device_memory(torch.device("cpu")) == {}


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc has malloc_trim")
def test_many_holes_between_kept_blocks_are_returned_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_level_mb", 0.0)
    monkeypatch.setattr(memory, "_SLACK_MB", -1e9)
    before = trimmed_rss_mb()
    monkeypatch.setattr(memory, "_SLACK_MB", 100.0)
    blocks = [bytearray(b"x" * 64_000) for _ in range(3_000)]
    kept = blocks[::20]
    assert psutil.Process().memory_info().rss / 1e6 > before + 150
    blocks.clear()
    assert trimmed_rss_mb() < before + 50
    assert len(kept) == 150


def test_few_holes_are_not_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    monkeypatch.setattr(memory, "_trim", trims.append)
    monkeypatch.setattr(memory, "_level_mb", 0.0)
    monkeypatch.setattr(memory, "_SLACK_MB", 0.0)
    trimmed_rss_mb()
    assert len(trims) == 1
    monkeypatch.setattr(memory, "_SLACK_MB", 1e6)
    trimmed_rss_mb()
    assert len(trims) == 1

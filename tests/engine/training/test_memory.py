"""What a run tells of memory, and that what is freed goes back to the system."""

import ctypes

import psutil
import pytest
import torch

from engine.training import memory
from engine.training.memory import device_memory, trimmed_rss_mb


def test_a_graphics_cards_peak_is_told_and_a_processors_is_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {torch.device("cuda", 1): 3_000_000_000}
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", held.__getitem__)
    assert device_memory(torch.device("cuda", 1)) == {"gpu_peak_mb": 3_000.0}
    assert device_memory(torch.device("cpu")) == {}


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc gives its holes back when asked")
def test_holes_between_blocks_that_are_kept_are_given_back_when_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_few_holes_are_worth_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(memory, "_trim", asked.append)
    monkeypatch.setattr(memory, "_level_mb", 0.0)
    monkeypatch.setattr(memory, "_SLACK_MB", 0.0)
    trimmed_rss_mb()
    assert len(asked) == 1
    monkeypatch.setattr(memory, "_SLACK_MB", 1e6)
    trimmed_rss_mb()
    assert len(asked) == 1

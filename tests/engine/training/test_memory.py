"""What is freed goes back to the system."""

import ctypes

import psutil
import pytest

from engine.training.memory import trimmed_rss_mb


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc gives its holes back when asked")
def test_holes_between_blocks_that_are_kept_are_given_back() -> None:
    before = trimmed_rss_mb()
    blocks = [bytearray(b"x" * 64_000) for _ in range(3_000)]
    kept = blocks[::20]
    assert psutil.Process().memory_info().rss / 1e6 > before + 150
    blocks.clear()
    assert trimmed_rss_mb() < before + 50
    assert len(kept) == 150

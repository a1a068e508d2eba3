"""The app with a watcher in its event loop that measures stalls of the loop and the memory of the process.

Run as `python -m tests.benchmarks.watched HOME PROJECT FILE`; the file is rewritten every half second.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import psutil

from engine.paths import Home
from tui.main import prepare, run_app

HOME = Home.locate(Path(sys.argv[1]))
SETTINGS, ERRORS = prepare(HOME)

from tui.app import DistillApp  # noqa: E402 - Textual reads its frame rate on import

TICK_S = 0.01


class WatchedApp(DistillApp):
    """Writes the longest stall since the file was last removed, and the memory in use."""

    def __init__(self, folder: Path, file: Path) -> None:
        super().__init__(HOME, folder, SETTINGS, errors=ERRORS)
        self._file = file

    def on_ready(self) -> None:
        """Start watching when the first screen is shown."""
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        process, longest, written = psutil.Process(os.getpid()), 0.0, 0.0
        while True:
            started = time.perf_counter()
            await asyncio.sleep(TICK_S)
            now = time.perf_counter()
            longest = max(longest, now - started - TICK_S)
            if now - written > 0.5:
                if not self._file.exists():
                    longest = 0.0
                self._file.write_text(
                    json.dumps({"stall_ms": 1000 * longest, "rss_mb": process.memory_info().rss / 1e6})
                )
                written = time.perf_counter()


if __name__ == "__main__":
    run_app(WatchedApp(Path(sys.argv[2]), Path(sys.argv[3])))

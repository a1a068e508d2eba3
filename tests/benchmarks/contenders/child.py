"""One side of a comparison, in a separate process so that its peak memory is its own.

It prepares, then measures one repetition or reports further results whenever its parent writes a command. Standard
library only, because peers import it from separate environments.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

READY, MEASURE, REPORT = "ready", "measure", "report"


class Contender(Protocol):
    """What one side can do once it is prepared."""

    def measure(self) -> dict[str, float]:
        """One repetition: the results of `clocked`, and further figures of this side."""

    def report(self) -> dict[str, object]:
        """What the comparison verifies; requested once, after the repetitions."""


@contextmanager
def clocked() -> Iterator[dict[str, float]]:
    """Measure the block: `cpu_s` over all threads, `wall_s`, and `peak_mb` of resident memory (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    measured: dict[str, float] = {}
    cpu, wall = time.process_time(), time.perf_counter()
    yield measured
    measured.update(cpu_s=time.process_time() - cpu, wall_s=time.perf_counter() - wall, peak_mb=peak_mb())


def peak_mb() -> float:
    """The peak of resident memory since it was last reset, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def serve(make: Callable[[dict[str, object]], Contender]) -> None:
    """Make the contender from the JSON argument, and answer commands until the parent closes standard input."""
    line = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    contender = make(json.loads(sys.argv[1]))
    print(json.dumps({READY: True}), file=line, flush=True)
    for command in sys.stdin:
        found = contender.measure() if command.strip() == MEASURE else contender.report()
        print(json.dumps(found), file=line, flush=True)

"""One side of a comparison, in a process of its own so that its peak of memory is its own.

It prepares, then measures one repetition or tells what else is to be known, whenever its parent writes a word.
Standard library only: peers import it from environments of their own.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

READY, MEASURE, TELL = "ready", "measure", "tell"


class Contender(Protocol):
    """What one side can do once it is prepared."""

    def measure(self) -> dict[str, float]:
        """One repetition: what `clocked` found, and figures of the side's own."""

    def tell(self) -> dict[str, object]:
        """What the comparison asserts; asked once, after the repetitions."""


@contextmanager
def clocked() -> Iterator[dict[str, float]]:
    """Fills in what the block took: `cpu_s` over all threads, `wall_s`, and `peak_mb` of resident memory (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    took: dict[str, float] = {}
    cpu, wall = time.process_time(), time.perf_counter()
    yield took
    took.update(cpu_s=time.process_time() - cpu, wall_s=time.perf_counter() - wall, peak_mb=peak_mb())


def peak_mb() -> float:
    """The most resident memory since the peak was last cleared, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def serve(make: Callable[[dict[str, object]], Contender]) -> None:
    """Make the contender from the words of the command line, and answer until the parent closes the line."""
    line = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print must not come between the answers
    contender = make(json.loads(sys.argv[1]))
    print(json.dumps({READY: True}), file=line, flush=True)
    for word in sys.stdin:
        found = contender.measure() if word.strip() == MEASURE else contender.tell()
        print(json.dumps(found), file=line, flush=True)

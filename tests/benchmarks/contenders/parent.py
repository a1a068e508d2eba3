"""The parent process: starts the sides of a comparison, asks them in turn, and ends them."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.benchmarks.contenders.child import MEASURE, REPORT

ROOT = Path(__file__).parents[3]
_PACKAGE = "tests.benchmarks.contenders"


@dataclass(frozen=True, slots=True)
class Side:
    """A module of this package, the options it is started with, and the Python that runs it (by default this one)."""

    module: str
    options: Mapping[str, object]
    python: Path = Path(sys.executable)


@dataclass(frozen=True, slots=True)
class Measured:
    """The repetitions of one side, and its report."""

    repetitions: list[dict[str, float]] = field(default_factory=list)
    report: dict[str, object] = field(default_factory=dict)

    def median(self, figure: str) -> float:
        return statistics.median(each[figure] for each in self.repetitions)

    @property
    def peak_mb(self) -> float:
        return max(each["peak_mb"] for each in self.repetitions)


def ratio(over: Measured, under: Measured, figure: str = "cpu_s") -> float:
    """The median over the repetitions of one side's figure over the other's, measured right after each other."""
    pairs = zip(over.repetitions, under.repetitions, strict=True)
    return statistics.median(a[figure] / b[figure] for a, b in pairs)


def measure(sides: Mapping[str, Side], repetitions: int, threads: int, log: Path) -> dict[str, Measured]:
    """Measure all sides, interleaved, each in its own process."""
    with ExitStack() as stack:
        running = {name: stack.enter_context(_Process(side, threads, log)) for name, side in sides.items()}
        found = {name: Measured() for name in sides}
        for _ in range(repetitions):
            for name, process in running.items():
                found[name].repetitions.append(process.ask(MEASURE))
        for name, process in running.items():
            found[name].report.update(process.ask(REPORT))
    return found


class _Process:
    def __init__(self, side: Side, threads: int, log: Path) -> None:
        self._side, self._log = side, log
        # Waiting threads sleep, because spinning would count as CPU time.
        settings = {
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "passive",
            "HF_HUB_OFFLINE": "1",
            "PYTHONWARNINGS": "ignore",
            "TOKENIZERS_PARALLELISM": "false",
        }
        self._errors = log.open("a")
        self._process = subprocess.Popen(
            [str(side.python), "-m", f"{_PACKAGE}.{side.module}", json.dumps({**side.options, "threads": threads})],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> "_Process":
        self._answer()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            self._process.kill()
        self._process.communicate()
        self._errors.close()

    def ask(self, command: str) -> dict[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise RuntimeError(
                f"{self._side.module} {dict(self._side.options)} ended:\n{self._log.read_text()[-3000:]}"
            )
        answer: dict[str, float] = json.loads(line)
        return answer

"""The lines of the table, each a figure with its bar and memory, and the machine's name."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random


@dataclass(frozen=True, slots=True)
class Figure:
    """One line. `at_least` and `at_most` are bars, None if the figure has none."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    peak_mb: float | None = None

    @property
    def verdict(self) -> str:
        if self.at_least is not None:
            return f"bar ≥ {self.at_least:g}  {'MET' if self.value >= self.at_least else 'MISSED'}"
        if self.at_most is not None:
            return f"bar ≤ {self.at_most:g}  {'MET' if self.value <= self.at_most else 'MISSED'}"
        return ""


def print_figure(figure: Figure) -> None:
    """Print one line of the table."""
    memory = "" if figure.peak_mb is None else f"{figure.peak_mb:>7,.0f} MB"
    value = f"{figure.value:.1e}" if 0 < abs(figure.value) < 0.005 else f"{figure.value:.2f}"
    print(f"  {figure.name:<66}{value:>9} {figure.unit:<12}{memory:<11}{figure.verdict}".rstrip(), flush=True)


def upper_bound_of_difference(ours: Sequence[tuple[float, int]], theirs: Sequence[tuple[float, int]]) -> float:
    """The upper end of the 95 % interval of our mean per token minus theirs, by a paired bootstrap over answers."""
    random = Random(0)
    differences = [(a - b, count) for (a, count), (b, _) in zip(ours, theirs, strict=True)]
    resamples = [random.choices(differences, k=len(differences)) for _ in range(5_000)]
    means = sorted(sum(total for total, _ in each) / sum(count for _, count in each) for each in resamples)
    return means[round(0.975 * len(means))]


def processor() -> str:
    """The processor's name, and whether it computes in bfloat16."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    cores = sum(line.startswith("processor") for line in lines)
    return f"{name}, {cores} cores, {'with' if computes_bfloat16() else 'without'} bfloat16 arithmetic"


def computes_bfloat16() -> bool:
    """Whether the processor has bfloat16 instructions; without them products are many times slower than in float32."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags

"""What is compared with what, and the bars that hold. Knows nothing of how a side does its work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.contenders.figures import Figure, computes_bfloat16
from tests.benchmarks.contenders.process import Measured, Side, measure, ratio

LENGTHS = (100, 1_000, 2_000, 4_000)  # tokens of the prompts
_SAME_F32 = 2e-3  # log-probabilities and logits of two ways that differ by rounding alone


@dataclass(frozen=True, slots=True)
class Bench:
    """What all comparisons share."""

    model: Path
    scratch: Path
    peers: Path
    repetitions: int
    threads: int

    @property
    def material(self) -> Path:
        return self.scratch / "material.json"

    def side(self, module: str, **words: object) -> Side:
        return Side(module, {"model": str(self.model), "material": str(self.material), **words})

    def measure(self, **sides: Side) -> dict[str, Measured]:
        return measure(sides, self.repetitions, self.threads, self.scratch / "log.txt")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One group of the table."""

    title: str
    figures: Callable[[Bench], Iterator[Figure]]
    runs_here: Callable[[], bool] = lambda: True


def _scoring(bench: Bench) -> Iterator[Figure]:
    for length, whole_rows, bar in ((1_000, 2, 5.0), (4_000, 1, 15.0)):
        found = bench.measure(
            whole=bench.side("scoring", shared=False, length=length, rows=whole_rows),
            shared=bench.side("scoring", shared=True, length=length, rows=32),
        )
        whole, shared = found["whole"], found["shared"]
        tokens = shared.told["prompt_tokens"]
        yield Figure(f"{tokens} tokens: whole forward", whole.median("row_s"), "CPU-s/row", peak_mb=whole.peak_mb)
        yield Figure(
            "  shared cache, 32 rows, its building included",
            shared.median("row_s"),
            "CPU-s/row",
            peak_mb=shared.peak_mb,
        )
        yield Figure("  faster", ratio(whole, shared, "row_s"), "times", at_least=bar)
        yield Figure("  log-probabilities apart at most", _number(whole, "apart"), "nats", at_most=_SAME_F32)


def _decoding(dtype: str, bar: float) -> Callable[[Bench], Iterator[Figure]]:
    def figures(bench: Bench) -> Iterator[Figure]:
        words = {"dtype": dtype, "rows": 16, "tokens": 16}
        found = bench.measure(
            copied=bench.side("decoding", shared=False, length=2_000, **words),
            shared=bench.side("decoding", shared=True, length=2_000, **words),
            short=bench.side("decoding", shared=True, length=100, **words),
        )
        copied, shared, short = found["copied"], found["shared"], found["short"]
        for name, side in (("cache copied to every row", copied), ("shared", shared), ("shared", short)):
            yield Figure(
                f"{side.told['prompt_tokens']} tokens, {name}",
                side.median("tokens_per_cpu_s"),
                "tokens/CPU-s",
                peak_mb=side.peak_mb,
            )
        figure = "tokens_per_cpu_s"
        yield Figure("  shared over copied", ratio(shared, copied, figure), "times", at_least=bar)
        yield Figure("  behind 2,000 over behind 100", ratio(shared, short, figure), "times", at_least=0.75)
        limit = _SAME_F32 if dtype == "float32" else None
        yield Figure("  logits apart at most", _number(copied, "apart"), "", at_most=limit)

    return figures


def _number(side: Measured, name: str) -> float:
    value = side.told[name]
    assert isinstance(value, int | float)
    return float(value)


COMPARISONS = {
    "scoring": Comparison("the teacher's log-probabilities of given answers", _scoring),
    "decoding": Comparison("16 answers of 16 tokens at once, float32", _decoding("float32", 4.0)),
    "decoding-bfloat16": Comparison(
        "16 answers of 16 tokens at once, bfloat16", _decoding("bfloat16", 6.0), computes_bfloat16
    ),
}

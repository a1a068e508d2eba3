"""What is compared with what, and the bar for each ratio. Knows nothing of how a side does its work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tests.benchmarks.contenders.figures import Figure, computes_bfloat16, upper_bound_of_difference
from tests.benchmarks.contenders.parent import Measured, Side, measure, ratio
from tests.benchmarks.contenders.peers import TRL, VLLM, trl_python, vllm_python

LENGTHS = (100, 1_000, 2_000, 4_000)  # tokens of the prompts
_ROWS_PER_CACHE = 24  # rows scored with one cache: with more, building it would only cost less per row
_SAME_LOSS = 1e-2 if computes_bfloat16() else 1e-4
_SAME_F32 = 2e-3  # for log-probabilities and logits that differ only by rounding


@dataclass(frozen=True, slots=True)
class Bench:
    """The settings that all comparisons share."""

    model: Path
    scratch: Path
    peers: Path
    repetitions: int
    threads: int

    @property
    def material(self) -> Path:
        return self.scratch / "material.json"

    def side(self, module: str, python: Path | None = None, **options: object) -> Side:
        all_options = {"model": str(self.model), "material": str(self.material), **options}
        return Side(module, all_options) if python is None else Side(module, all_options, python)

    def measure(self, **sides: Side) -> dict[str, Measured]:
        return measure(sides, self.repetitions, self.threads, self.scratch / "log.txt")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One group of the table."""

    title: str
    figures: Callable[[Bench], Iterator[Figure]]
    runs_here: Callable[[], bool] = lambda: True
    on_request: bool = False  # only with --only


def _scoring(bench: Bench) -> Iterator[Figure]:
    for length, bar in ((1_000, 5.0), (4_000, 15.0)):
        found = bench.measure(
            whole=bench.side("scoring", dtype="float32", shared=False, length=length, rows=1),
            shared=bench.side("scoring", dtype="float32", shared=True, length=length, rows=_ROWS_PER_CACHE),
        )
        whole, shared = found["whole"], found["shared"]
        tokens = shared.report["prompt_tokens"]
        yield Figure(f"{tokens} tokens: whole forward", whole.median("row_s"), "CPU-s/row", peak_mb=whole.peak_mb)
        yield Figure(
            f"  shared cache, {_ROWS_PER_CACHE} rows, its building included",
            shared.median("row_s"),
            "CPU-s/row",
            peak_mb=shared.peak_mb,
        )
        yield Figure("  faster", ratio(whole, shared, "row_s"), "times", at_least=bar)
        yield Figure("  log-probabilities apart at most", _number(whole, "apart"), "nats", at_most=_SAME_F32)


def _prompt_length(bench: Bench) -> Iterator[Figure]:
    options: dict[str, Any] = {"objective": "forward_kl", "rows": 24, "epochs": 3, "batch_rows": 8}
    found = bench.measure(
        long=bench.side("training", length=2_000, **options), short=bench.side("training", length=100, **options)
    )
    for name, side in (("2,000 tokens", found["long"]), ("100 tokens", found["short"])):
        yield Figure(f"{name}: teacher cache and 3 epochs", side.median("cpu_s"), "CPU-s", peak_mb=side.peak_mb)
    yield Figure("  2,000 over 100", ratio(found["long"], found["short"]), "times", at_most=1.3)


def _every_step(bench: Bench) -> Iterator[Figure]:
    options: dict[str, Any] = {"objective": "forward_kl", "rows": 6, "epochs": 3, "batch_rows": 3, "length": 1_000}
    found = bench.measure(plain=bench.side("teacher_every_step", **options), ours=bench.side("training", **options))
    plain, ours = found["plain"], found["ours"]
    yield Figure("the teacher in every step", plain.median("cpu_s"), "CPU-s", peak_mb=plain.peak_mb)
    yield Figure("the teacher once, cache building included", ours.median("cpu_s"), "CPU-s", peak_mb=ours.peak_mb)
    yield Figure("  faster", ratio(plain, ours), "times", at_least=5.0)
    yield Figure("  held-out KL, the teacher in every step", _mean(_pairs(plain)), "nats/token")
    yield Figure("  held-out KL, the teacher once", _mean(_pairs(ours)), "nats/token")
    upper_bound = upper_bound_of_difference(_pairs(ours), _pairs(plain))
    yield Figure("  worse by, upper end of the 95 % interval", upper_bound, "nats/token", at_most=0.01)


def _student(bench: Bench) -> Iterator[Figure]:
    options: dict[str, Any] = {"rows": 24, "batch_rows": 8, "epochs": 1, "proof": str(bench.scratch / "proof")}
    # TRL enables bfloat16 by default. It is disabled if the processor only emulates it, which takes many times longer.
    dtype = {} if computes_bfloat16() else {"bf16": False}
    best = {"gradient_checkpointing": False, "train_sampling_strategy": "sequential"}
    flags = {"its defaults": dtype, "in float32": {"bf16": False}, "its best flags": {**dtype, **best}}
    if not computes_bfloat16():
        del flags["in float32"]  # those are its defaults here
    python = trl_python(bench.peers)
    found = bench.measure(
        ours=bench.side("training", objective="cross_entropy", length=100, **options),
        **{name: bench.side("trl_sft", python=python, flags=each, **options) for name, each in flags.items()},
    )
    figure, ours = "tokens_per_cpu_s", found["ours"]
    yield Figure("this trainer", ours.median(figure), "tokens/CPU-s", peak_mb=ours.peak_mb)
    bars = {"its defaults": 3.5, "in float32": None, "its best flags": 1.3}
    for name in flags:
        peer = found[name]
        yield Figure(f"TRL {TRL}, {name} {flags[name]}", peer.median(figure), "tokens/CPU-s", peak_mb=peer.peak_mb)
        yield Figure("  times as many tokens", ratio(ours, peer, figure), "times", at_least=bars[name])
        for what in ("losses", "norms"):
            pairs = zip(_numbers(ours, what), _numbers(peer, what), strict=True)
            difference = max(abs(a - b) / abs(b) for a, b in pairs)
            quantity = {"losses": "loss", "norms": "gradient norm"}[what]
            yield Figure(f"  {quantity} of the same batches apart", difference, "of it", at_most=_SAME_LOSS)


def _decoding(dtype: str, bar: float) -> Callable[[Bench], Iterator[Figure]]:
    def figures(bench: Bench) -> Iterator[Figure]:
        options: dict[str, Any] = {"dtype": dtype, "rows": 16, "tokens": 32}
        found = bench.measure(
            copied=bench.side("decoding", shared=False, length=2_000, **options),
            shared=bench.side("decoding", shared=True, length=2_000, **options),
            short=bench.side("decoding", shared=True, length=100, **options),
        )
        copied, shared, short = found["copied"], found["shared"], found["short"]
        for name, side in (("cache copied to every row", copied), ("shared", shared), ("shared", short)):
            yield Figure(
                f"{side.report['prompt_tokens']} tokens, {name}",
                side.median("tokens_per_cpu_s"),
                "tokens/CPU-s",
                peak_mb=side.peak_mb,
            )
        figure = "tokens_per_cpu_s"
        yield Figure("  shared over copied", ratio(shared, copied, figure), "times", at_least=bar)
        yield Figure("  behind 2,000 over behind 100", ratio(shared, short, figure), "times", at_least=0.75)
        whole = ratio(shared, copied, "answers_per_cpu_s")
        yield Figure("  shared over copied, the reading of the questions included", whole, "times")
        limit = _SAME_F32 if dtype == "float32" else None
        yield Figure("  logits apart at most", _number(copied, "apart"), "", at_most=limit)

    return figures


def _vllm(bench: Bench) -> Iterator[Figure]:
    python, figure = vllm_python(bench.peers), "tokens_per_cpu_s"
    for dtype in ("float32", *(["bfloat16"] if computes_bfloat16() else [])):
        for length in (2_000, 100):
            rows = str(bench.scratch / f"rows-{length}.json")
            options: dict[str, Any] = {"dtype": dtype, "tokens": 32}
            found = bench.measure(
                ours=bench.side("decoding", shared=True, length=length, rows=16, write_rows=rows, **options),
                vllm=bench.side("vllm_decoding", python=python, rows=rows, **options),
            )
            ours, vllm = found["ours"], found["vllm"]
            what = f"{ours.report['prompt_tokens']} tokens, {dtype}"
            yield Figure(f"{what}: this program", ours.median(figure), "tokens/CPU-s", peak_mb=ours.peak_mb)
            yield Figure(f"  vLLM {VLLM}", vllm.median(figure), "tokens/CPU-s", peak_mb=vllm.peak_mb)
            yield Figure("  this program over vLLM", ratio(ours, vllm, figure), "times")
            answers = zip(*(cast("list[list[int]]", side.report["answers"]) for side in (ours, vllm)), strict=True)
            yield Figure("  equal answers", sum(mine == theirs for mine, theirs in answers), "of 16")


def _numbers(side: Measured, name: str) -> list[float]:
    return cast("list[float]", side.report[name])


def _pairs(side: Measured) -> list[tuple[float, int]]:
    return [(total, count) for total, count in cast("list[tuple[float, int]]", side.report["kl"])]


def _mean(pairs: list[tuple[float, int]]) -> float:
    return sum(total for total, _ in pairs) / sum(count for _, count in pairs)


def _number(side: Measured, name: str) -> float:
    value = side.report[name]
    assert isinstance(value, int | float)
    return float(value)


COMPARISONS = {
    "prompt-length": Comparison("what a long prompt adds to a training", _prompt_length),
    "scoring": Comparison("the teacher's log-probabilities of given answers", _scoring),
    "student": Comparison("the student's steps, cross-entropy", _student),
    "every-step": Comparison("3 epochs behind 1,000 tokens, forward KL", _every_step),
    "decoding": Comparison("16 answers of 32 tokens at once, float32", _decoding("float32", 4.0)),
    "decoding-bfloat16": Comparison(
        "16 answers of 32 tokens at once, bfloat16", _decoding("bfloat16", 6.0), computes_bfloat16
    ),
    "vllm": Comparison("16 answers of 32 tokens at once, by vLLM on a CPU", _vllm, on_request=True),
}

"""The training engine against what it would replace: teacher, student and decoding, with the peak memory of each.

    uv run --group bench python tests/benchmarks/training.py [--json FILE] [--only NAME …] [--repetitions N]
    uv run python tests/benchmarks/training.py --device cuda --shapes 1b,8b [--json FILE]

The first measures on the starter model in float32, held against the bars: every side in a process of its own, sides
interleaved, CPU-seconds over all threads (one thread a side unless told otherwise), so that a busy machine distorts
least. A ratio is the median of the repetitions' own ratios. The peer (TRL) gets an environment of its own under
--peers, made on first use. The second runs this program alone on random weights in the shapes of larger Llamas.
"""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from engine.model.starter import ensure_starter
from engine.paths import Home
from tests.benchmarks.contenders.comparisons import COMPARISONS, LENGTHS, Bench
from tests.benchmarks.contenders.figures import Figure, processor, tell
from tests.benchmarks.contenders.material import write_material


def main() -> None:
    """Measure all, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(COMPARISONS), default=None, help="these comparisons alone")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="torch threads of each side")
    parser.add_argument("--peers", type=Path, default=Home.locate().cache / "benchmark-peers")
    parser.add_argument("--device", default="cpu", help="with --shapes: cpu, cuda, cuda:1")
    parser.add_argument("--shapes", help="measure this program alone on random weights: 1b, 8b, tiny, with commas")
    parser.add_argument("--peak-tflops", type=float, help="the device's stated bfloat16 peak, where it is not known")
    words = parser.parse_args()
    if words.device != "cpu" and not words.shapes:
        parser.error("the comparisons are made on the CPU; a GPU is measured with --shapes 1b,8b")
    name, figures = on_shapes(words) if words.shapes else compared(words)
    if words.json:
        found = {"machine": name, "words": vars(words), "figures": [asdict(figure) for figure in figures]}
        words.json.write_text(json.dumps(found, indent=2, default=str))


def compared(words: argparse.Namespace) -> tuple[str, list[Figure]]:
    """All comparisons, or the wished ones."""
    model = ensure_starter(Home.locate())
    figures = []
    with tempfile.TemporaryDirectory(prefix="distill-bench-") as scratch:
        bench = Bench(model, Path(scratch), words.peers, words.repetitions, words.threads)
        write_material(model, LENGTHS, bench.material)
        print(
            f"{processor()}, {words.threads} thread(s) a side, medians of {words.repetitions} interleaved repetitions"
        )
        for name in words.only or COMPARISONS:
            print(f"\n{name}: {COMPARISONS[name].title}", flush=True)
            if not words.only and not COMPARISONS[name].runs_here():
                print(f"  left out: this processor only emulates bfloat16 (--only {name} measures it all the same)")
                continue
            for figure in COMPARISONS[name].figures(bench):
                figures.append(figure)
                tell(figure)
    return processor(), figures


def on_shapes(words: argparse.Namespace) -> tuple[str, list[Figure]]:
    """Random weights, in this process."""
    from tests.benchmarks.contenders.shapes import device_words, shape_figures

    name = device_words(words.device)
    print(f"{name}, medians of {words.repetitions} repetitions", flush=True)
    figures = []
    for shape in words.shapes.split(","):
        for figure in shape_figures(shape, words.device, words.repetitions, words.peak_tflops):
            figures.append(figure)
            tell(figure)
    return name, figures


if __name__ == "__main__":
    main()

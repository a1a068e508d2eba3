"""The training engine compared with alternatives: teacher, student and decoding, with the peak memory of each.

    uv run --group bench python tests/benchmarks/training.py [--json FILE] [--only NAME …] [--repetitions N]
    uv run python tests/benchmarks/training.py --device cuda --shapes 1b,8b [--json FILE]

The first measures on the starter model and compares with the bars. Every side runs in a separate process, with sides
interleaved; figures are CPU-seconds over all threads (by default one thread per side), which a busy machine distorts
least. A ratio is the median of the ratios of the repetitions. Peers (TRL; with `--only vllm`, vLLM) get separate
environments under --peers, made on first use. The second runs this program alone, with random weights in the shapes of
larger Llamas.
"""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from engine.model.starter import ensure_starter
from engine.paths import Home
from tests.benchmarks.contenders.comparisons import COMPARISONS, LENGTHS, Bench
from tests.benchmarks.contenders.figures import Figure, print_figure, processor
from tests.benchmarks.contenders.material import write_material


def main() -> None:
    """Measure all, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(COMPARISONS), default=None, help="only these comparisons")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="torch threads of each side")
    parser.add_argument("--peers", type=Path, default=Home.locate().cache / "benchmark-peers")
    parser.add_argument("--device", default="cpu", help="with --shapes: cpu, cuda, cuda:1")
    parser.add_argument("--shapes", help="measure this program alone on random weights: 1b,8b,tiny")
    parser.add_argument("--peak-tflops", type=float, help="the device's stated bfloat16 peak, if it is not known")
    args = parser.parse_args()
    if args.device != "cpu" and not args.shapes:
        parser.error("comparisons run only on the CPU; measure a GPU with --shapes 1b,8b")
    name, figures = measure_shapes(args) if args.shapes else run_comparisons(args)
    if args.json:
        found = {"machine": name, "words": vars(args), "figures": [asdict(figure) for figure in figures]}
        args.json.write_text(json.dumps(found, indent=2, default=str))


def run_comparisons(args: argparse.Namespace) -> tuple[str, list[Figure]]:
    """Run all comparisons, or those chosen with --only."""
    model = ensure_starter(Home.locate())
    figures = []
    with tempfile.TemporaryDirectory(prefix="distill-bench-") as scratch:
        bench = Bench(model, Path(scratch), args.peers, args.repetitions, args.threads)
        write_material(model, LENGTHS, bench.material)
        print(f"{processor()}, {args.threads} thread(s) a side, medians of {args.repetitions} interleaved repetitions")
        for name in args.only or [name for name, each in COMPARISONS.items() if not each.on_request]:
            print(f"\n{name}: {COMPARISONS[name].title}", flush=True)
            if not args.only and not COMPARISONS[name].runs_here():
                print(f"  left out: this processor only emulates bfloat16 (--only {name} measures it anyway)")
                continue
            for figure in COMPARISONS[name].figures(bench):
                figures.append(figure)
                print_figure(figure)
    return processor(), figures


def measure_shapes(args: argparse.Namespace) -> tuple[str, list[Figure]]:
    """Measure random weights in the given shapes, in this process."""
    from tests.benchmarks.contenders.shapes import describe_device, shape_figures

    name = describe_device(args.device)
    print(f"{name}, medians of {args.repetitions} repetitions", flush=True)
    figures = []
    for shape in args.shapes.split(","):
        for figure in shape_figures(shape, args.device, args.repetitions, args.peak_tflops):
            figures.append(figure)
            print_figure(figure)
    return name, figures


if __name__ == "__main__":
    main()

"""How long each key of the cost pane blocks the UI thread, over switching to another pane.

    uv run python -m tests.benchmarks.panes [--repeats N] [--json FILE]

The app runs in this process without a terminal, at 80 × 24 and 120 × 40, on a project with an evaluation. A pause
follows each key. Measured is the CPU time of the UI thread: the longest time the event loop was blocked, compared with
what a person notices, and the total over that of switching to the evaluation and back in the same run. Figures are
medians over the keys of a kind; the longest block is also shown at its worst.
"""

import argparse
import asyncio
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

from textual.pilot import Pilot

from engine.paths import Home
from engine.project import Project
from engine.records.cost import CostInputs
from tests.benchmarks.terminal import Figure, print_figure
from tests.tui.piloting import go_to_pane, pane_of, until
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.panes.cost.pane import CostPane
from tui.panes.evaluation.pane import EvaluationPane

SIZES = ((80, 24), (120, 40))
NOTICEABLE_MS = 50.0
REST_S = 0.4
# Kinds of keys, in order, on one screen; the others are compared with the first.
STEPS: tuple[tuple[str, str], ...] = (
    ("the turn to the evaluation and back", "6 8 6 8"),
    ("scroll", "j j j k k k"),
    ("go to the fields", "e"),
    ("move through them", "down down down down up up up"),
    ("type a figure", "1 2 3 4 backspace backspace 5"),
    ("take it", "enter"),
    ("leave", "escape"),
    ("back to the model", "e"),
    ("type its name", "g p t minus 4"),
    ("choose one of the list", "down down up"),
    ("give the name up", "escape"),
)


@contextmanager
def timed_loop() -> Iterator[list[float]]:
    """Record the CPU time of every callback of this thread's event loop, in milliseconds."""
    original, durations = asyncio.Handle._run, list[float]()

    def run(handle: asyncio.Handle) -> None:
        started = time.thread_time()
        original(handle)
        durations.append(1000 * (time.thread_time() - started))

    with mock.patch.object(asyncio.Handle, "_run", run):
        yield durations


@dataclass(frozen=True, slots=True)
class Timing:
    """One key: the longest block of the event loop, and the total."""

    longest_ms: float
    whole_ms: float


async def press(pilot: Pilot[int], key: str, durations: list[float]) -> Timing:
    """Press a key and pause. The little that the pause itself takes is not subtracted."""
    durations.clear()
    await pilot.press(key)
    await asyncio.sleep(REST_S)
    return Timing(max(durations), sum(durations))


async def measure(home: Home, folder: Path, size: tuple[int, int]) -> dict[str, list[Timing]]:
    """Measure all kinds of keys once."""
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await show_exact_estimate(pilot, app)
        await asyncio.sleep(1.0)
        with timed_loop() as durations:
            return {name: [await press(pilot, key, durations) for key in keys.split()] for name, keys in STEPS}


async def show_exact_estimate(pilot: Pilot[int], app: DistillApp) -> None:
    """Show the cost pane, and wait until its estimate uses the exact token count of the prompt."""

    def estimate_is_exact() -> bool:
        page = pane_of(app, CostPane).state.page
        return page is not None and page.costs is not None and page.costs.given.prompt_tokens.exact

    await go_to_pane(pilot, 6, EvaluationPane, lambda: True)
    await asyncio.sleep(0.5)  # a pane is created when it is first shown, which is not measured here
    await go_to_pane(pilot, 8, CostPane, lambda: True)
    await until(pilot, estimate_is_exact, 60.0)


def figures_of(size: tuple[int, int], timings: dict[str, list[Timing]]) -> Iterator[Figure]:
    """The figures of each kind of key over all repetitions."""
    switch = statistics.median(timing.whole_ms for timing in timings[STEPS[0][0]])
    for name, keys in timings.items():
        label = f"{name}, {size[0]} × {size[1]}"
        yield Figure(label, statistics.median(timing.longest_ms for timing in keys), "ms", NOTICEABLE_MS)
        yield Figure("  at its worst", max(timing.longest_ms for timing in keys), "ms")
        if name != STEPS[0][0]:
            yield Figure(
                "  all of it over the turn", statistics.median(timing.whole_ms for timing in keys) / switch, "times"
            )


def main() -> None:
    """Measure all, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    figures: list[Figure] = []
    gc.freeze()  # as the program does
    gc.set_threshold(10_000, 3, 30)
    for size in SIZES:
        timings: dict[str, list[Timing]] = {}
        for _ in range(args.repeats):
            with tempfile.TemporaryDirectory(prefix="distill-bench-") as scratch:
                home = Home.locate(Path(scratch))
                folder = make_stage(home, "done")
                with Project.open(folder, home) as project:
                    project.settings.write_cost(CostInputs("gpt-5", requests_per_day=5_000.0), None)
                for name, keys in asyncio.run(measure(home, folder, size)).items():
                    timings.setdefault(name, []).extend(keys)
        for figure in figures_of(size, timings):
            figures.append(figure)
            print_figure(figure)
    if args.json:
        args.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))


if __name__ == "__main__":
    main()

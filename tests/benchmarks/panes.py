"""What a key of the cost pane costs the thread that draws, over what the turn to another pane costs it.

    uv run python -m tests.benchmarks.panes [--repeats N] [--json FILE]

The app runs in this process without a terminal, at 80 × 24 and 120 × 40, on a project whose answers are evaluated. Each
key is followed by a rest; counted is the processor's work for it on the thread that draws: the longest that the event
loop was held at a stretch, against what a person may feel, and all of it over that of the turn to the evaluation and
back in the same run. Medians over the keys of a kind, the longest stretch also at its worst.
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
from tests.benchmarks.terminal import Figure, tell
from tests.tui.piloting import pane_of, reach, until
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.panes.cost.pane import CostPane
from tui.panes.evaluation.pane import EvaluationPane

SIZES = ((80, 24), (120, 40))
FELT_MS = 50.0
REST_S = 0.4
# Kinds of keys, one after the other on one screen; the first is what the others are held against.
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
def turns() -> Iterator[list[float]]:
    """While inside, every turn of this thread's event loop is noted, in milliseconds of the processor."""
    plain, noted = asyncio.Handle._run, list[float]()

    def run(handle: asyncio.Handle) -> None:
        begin = time.thread_time()
        plain(handle)
        noted.append(1000 * (time.thread_time() - begin))

    with mock.patch.object(asyncio.Handle, "_run", run):
        yield noted


@dataclass(frozen=True, slots=True)
class Took:
    """One key: the longest stretch, and all stretches together."""

    longest_ms: float
    whole_ms: float


async def press(pilot: Pilot[int], key: str, noted: list[float]) -> Took:
    """Press a key and rest; what it took more than the rest does without it is little, and not taken off."""
    noted.clear()
    await pilot.press(key)
    await asyncio.sleep(REST_S)
    return Took(max(noted), sum(noted))


async def measure(home: Home, folder: Path, size: tuple[int, int]) -> dict[str, list[Took]]:
    """All kinds of keys, once."""
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await counted(pilot, app)
        await asyncio.sleep(1.0)
        with turns() as noted:
            return {name: [await press(pilot, key, noted) for key in keys.split()] for name, keys in STEPS}


async def counted(pilot: Pilot[int], app: DistillApp) -> None:
    """Show the cost pane, and wait until its estimate stands with the exact count of the prompt."""

    def stands() -> bool:
        page = pane_of(app, CostPane).state.page
        return page is not None and page.costs is not None and page.costs.given.prompt_tokens.exact

    await reach(pilot, 6, EvaluationPane, lambda: True)
    await asyncio.sleep(0.5)  # a pane is made when it is first shown, which is another matter
    await reach(pilot, 8, CostPane, lambda: True)
    await until(pilot, stands, 60.0)


def figures_of(size: tuple[int, int], taken: dict[str, list[Took]]) -> Iterator[Figure]:
    """Each kind of key, of all repetitions."""
    turn = statistics.median(took.whole_ms for took in taken[STEPS[0][0]])
    for name, keys in taken.items():
        where = f"{name}, {size[0]} × {size[1]}"
        yield Figure(where, statistics.median(took.longest_ms for took in keys), "ms", FELT_MS)
        yield Figure("  at its worst", max(took.longest_ms for took in keys), "ms")
        if name != STEPS[0][0]:
            yield Figure("  all of it over the turn", statistics.median(took.whole_ms for took in keys) / turn, "times")


def main() -> None:
    """Measure all, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    words = parser.parse_args()
    figures: list[Figure] = []
    gc.freeze()  # as the program does it
    gc.set_threshold(10_000, 3, 30)
    for size in SIZES:
        taken: dict[str, list[Took]] = {}
        for _ in range(words.repeats):
            with tempfile.TemporaryDirectory(prefix="distill-bench-") as scratch:
                home = Home.locate(Path(scratch))
                folder = make_stage(home, "done")
                with Project.open(folder, home) as project:
                    project.settings.write_cost(CostInputs("gpt-5", requests_per_day=5_000.0), None)
                for name, keys in asyncio.run(measure(home, folder, size)).items():
                    taken.setdefault(name, []).extend(keys)
        for figure in figures_of(size, taken):
            figures.append(figure)
            tell(figure)
    if words.json:
        words.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))


if __name__ == "__main__":
    main()

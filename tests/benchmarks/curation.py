"""The review of very many answers in a terminal: response to every key, event loop and memory.

    uv run --group bench python -m tests.benchmarks.curation [--examples N] [--repeats N] [--json FILE]

The app runs in a pseudo-terminal of 120 × 40 on a project that is built through the store, interleaved with one of a
hundred answers. Figures are medians over the repetitions: the time from a key to the text that it shows, compared with
what a person does not notice; and the CPU time of the app, which a busy machine distorts least, alone and over that of
the small project, which shows what grows with the number of answers.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision
from engine.records.rule import CheckResult
from tests.benchmarks.loads import make_large_project
from tests.benchmarks.pseudo_terminal import Session
from tests.benchmarks.terminal import Figure, print_figure, watched_app

SMALL = 100
UNNOTICED_MS = 100.0  # from a key to what it shows
SHOWN_MS = 300.0
AFTERWARDS_S = 0.4
TICK_MS = 10.0  # the resolution of a process's CPU clock
STALL_MS = 100.0
MEMORY_MB = 150.0
_BULK_STEPS = ("reject all that are listed", "take that back")


def make_project(home: Home, examples: int) -> Path:
    """A project with half of the answers undecided, a tenth failing rule 3 and a few flagged; its folder."""
    folder = make_large_project(home, examples)
    with Project.open(folder, home) as project:
        if not project.examples.counts().flagged:
            broken = tuple(CheckResult(rule.id, rule.id != 3, "too long") for rule in project.rules.all())
            project.examples.set_checks(dict.fromkeys(range(10, examples + 1, 10), broken))
            project.decisions.decide([Decision(number, "flag", "person") for number in range(7, 90)])
    return folder


def steps(examples: int) -> list[tuple[str, str, str]]:
    """The steps, in order, on one screen: name, keys, and the text that they show."""
    half, searched = examples // 2, examples // 2 + 1
    return [
        ("show the list", "c", "about number 1."),
        ("go to its end", "G", f"about number {examples}."),
        ("go to its beginning", "g", "about number 1."),
        ("go to the last that is undecided", "N", f"about number {examples}."),
        ("go round to the first that is undecided", "n", "about number 2."),
        ("accept, until the counts say so", "a", f"{half + 1:,} ✓"),
        ("take it back", "u", f"{half:,} ✓"),
        ("search for one", f"/number {searched}\r", f"“number {searched}”"),
        ("bring the list back", "\x1b", "about number 2."),
        ("search for a word that all have", "/desk\r", f"of {examples:,}"),
        ("leave that search", "\x1b", "about number 2."),
        ("list the undecided", "t", f"undecided  1 of {half:,}"),
        ("list the accepted", "t", f"of {half:,}"),
        ("list the rejected", "t", "rejected"),
        ("list the flagged", "t", "flagged"),
        ("list all again", "t", "all"),
        ("what the list can be narrowed to", "T", "List only"),
        ("list those that break a rule", "jjj\r", "fails rule 3"),
        ("go to the end of those", "G", f"about number {examples}."),
        ("what else it can be narrowed to", "T", "List only"),
        ("list everything again", "g\x1b[H\r", "all"),
        ("mark everything", "*", f"{examples:,} marked"),
        (_BULK_STEPS[0], "x", f"Rejected {examples:,}."),
        (_BULK_STEPS[1], "u", f"Undone: {examples:,} rejected."),
    ]


@dataclass(frozen=True, slots=True)
class Timing:
    """One step: the time until its text appeared, and the CPU time of the app."""

    wait_ms: float
    cpu_ms: float


def review(session: Session, examples: int) -> Iterator[tuple[str, Timing]]:
    """Each step with its timing."""
    app = psutil.Process(session.pid)
    for name, keys, expected in steps(examples):
        if keys[:-1]:
            session.press(keys[:-1])
            session.listen(AFTERWARDS_S)
        before, pressed = cpu_s(app), session.press(keys[-1])
        waited_s = session.until(expected) - pressed
        session.listen(AFTERWARDS_S)
        yield name, Timing(1000 * waited_s, 1000 * (cpu_s(app) - before))


def cpu_s(app: psutil.Process) -> float:
    """The CPU time of the app so far, all threads together."""
    times = app.cpu_times()
    return times.user + times.system


def main() -> None:
    """Measure all, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--home", type=Path, help="keep the projects in this folder, to measure again")
    args = parser.parse_args()
    timings: dict[int, dict[str, list[Timing]]] = {SMALL: {}, args.examples: {}}
    memory: list[float] = []
    stalls: list[float] = []
    with tempfile.TemporaryDirectory(prefix="distill-bench-") as scratch:
        home, file = Home.locate(args.home or Path(scratch) / "home"), Path(scratch) / "watched.json"
        folders = {examples: make_project(home, examples) for examples in timings}
        for _ in range(args.repeats):
            for examples, folder in folders.items():
                with watched_app(home, folder, file, "Examples") as session:
                    file.unlink(missing_ok=True)
                    session.listen(1.2)
                    for name, step in review(session, examples):
                        timings[examples].setdefault(name, []).append(step)
                    session.listen(0.8)
                    found = json.loads(file.read_text())
                if examples == args.examples:
                    memory.append(found["rss_mb"])
                    stalls.append(found["stall_ms"])
    figures = list(figures_of(timings[SMALL], timings[args.examples], args.examples))
    figures += [
        Figure(f"longest stall of the event loop, {args.examples:,} answers", max(stalls), "ms", STALL_MS),
        Figure(f"memory with {args.examples:,} answers", max(memory), "MB", MEMORY_MB),
    ]
    for figure in figures:
        print_figure(figure)
    if args.json:
        args.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))


def figures_of(few: dict[str, list[Timing]], many: dict[str, list[Timing]], examples: int) -> Iterator[Figure]:
    """Each step on many answers: time until its text appeared, CPU time, and CPU time over that on few answers."""
    for name, timings in many.items():
        waited = statistics.median(timing.wait_ms for timing in timings)
        worked = statistics.median(timing.cpu_ms for timing in timings)
        bar = None if name in _BULK_STEPS else SHOWN_MS if name == "show the list" else UNNOTICED_MS
        yield Figure(f"{name}, {examples:,}" if name in _BULK_STEPS else name, waited, "ms", bar)
        yield Figure("  worked by the processor", worked, "ms")
        least = max(statistics.median(timing.cpu_ms for timing in few[name]), TICK_MS)
        yield Figure(f"  over {SMALL} answers", worked / least, "times")


if __name__ == "__main__":
    main()

"""The review of very many answers, as a person at a terminal meets it: every key, the event loop, the memory.

    uv run --group bench python -m tests.benchmarks.curation [--examples N] [--repeats N] [--json FILE]

The app runs in a pseudo-terminal of 120 × 40 on a project that is built through the store, interleaved with one of a
hundred answers. Figures are medians over the repetitions: how long the words that answer a key take to come, held
against what a person does not notice; and what the processor worked in the app for it, which a busy machine distorts
least, alone and over the small project: that tells what grows.
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
from tests.benchmarks.loads import make_large
from tests.benchmarks.pseudo_terminal import Session
from tests.benchmarks.terminal import Figure, tell, watched

SMALL = 100
UNNOTICED_MS = 100.0  # between a key and what it shows
SHOWN_MS = 300.0
AFTERWARDS_S = 0.4
TICK_MS = 10.0  # the clock of processes counts no less
STALL_MS = 100.0
MEMORY_MB = 150.0
_BULK = ("reject all that are listed", "take that back")


def make_reviewed(home: Home, examples: int) -> Path:
    """The project: half of the answers undecided, a tenth of them breaking rule 3, a few flags; its folder."""
    folder = make_large(home, examples)
    with Project.open(folder, home) as project:
        if not project.examples.counts().flagged:
            broken = tuple(CheckResult(rule.id, rule.id != 3, "too long") for rule in project.rules.all())
            project.examples.set_checks(dict.fromkeys(range(10, examples + 1, 10), broken))
            project.decisions.decide([Decision(number, "flag", "person") for number in range(7, 90)])
    return folder


def steps(examples: int) -> list[tuple[str, str, str]]:
    """What is measured: its name, the keys, the words that answer them; one after the other on one screen."""
    half, searched = examples // 2, examples // 2 + 1
    return [
        ("show the list", "c", "about number 1."),
        ("go to its end", "G", f"about number {examples}."),
        ("go to its beginning", "g", "about number 1."),
        ("go to the last that is undecided", "N", f"about number {examples}."),
        ("go round to the first that is undecided", "n", "about number 2."),
        ("accept, until the counts say so", "a", f"{half + 1:,} ✓"),
        ("take it back", "u", f"{half:,} ✓"),
        ("search for one", f"/number {searched}\r", f"«number {searched}»"),
        ("bring the list back", "\x1b", "about number 2."),
        ("search for a word that all have", "/desk\r", f"of {examples:,}"),
        ("leave that search", "\x1b", "about number 2."),
        ("list the undecided", "t", f"undecided  1 of {half:,}"),
        ("list the accepted", "t", f"of {half:,}"),
        ("list the rejected", "t", "rejected"),
        ("list the flagged", "t", "flagged"),
        ("list all again", "t", "all"),
        ("what the list can be narrowed to", "F", "List only"),
        ("list those that break a rule", "jjj\r", "fails rule 3"),
        ("go to the end of those", "G", f"about number {examples}."),
        ("what else it can be narrowed to", "F", "List only"),
        ("list everything again", "g\x1b[H\r", "all"),
        ("mark everything", "A", f"{examples:,} marked"),
        (_BULK[0], "x", f"Rejected {examples:,}."),
        (_BULK[1], "u", f"Undone: {examples:,} rejected."),
    ]


@dataclass(frozen=True, slots=True)
class Took:
    """One step: until its words came, and what the processor worked in the app for it."""

    waited_ms: float
    worked_ms: float


def review(session: Session, examples: int) -> Iterator[tuple[str, Took]]:
    """Each step with what it took."""
    app = psutil.Process(session.pid)
    for name, keys, words in steps(examples):
        if keys[:-1]:
            session.press(keys[:-1])
            session.listen(AFTERWARDS_S)
        before, pressed = worked_s(app), session.press(keys[-1])
        waited_s = session.until(words) - pressed
        session.listen(AFTERWARDS_S)
        yield name, Took(1000 * waited_s, 1000 * (worked_s(app) - before))


def worked_s(app: psutil.Process) -> float:
    """What the processor has worked in the app, all threads together."""
    times = app.cpu_times()
    return times.user + times.system


def main() -> None:
    """Measure all, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--home", type=Path, help="keep the projects there, to measure again")
    words = parser.parse_args()
    took: dict[int, dict[str, list[Took]]] = {SMALL: {}, words.examples: {}}
    memory: list[float] = []
    stalls: list[float] = []
    with tempfile.TemporaryDirectory(prefix="distill-bench-") as scratch:
        home, file = Home.locate(words.home or Path(scratch) / "home"), Path(scratch) / "watched.json"
        folders = {examples: make_reviewed(home, examples) for examples in took}
        for _ in range(words.repeats):
            for examples, folder in folders.items():
                with watched(home, folder, file, "Examples") as session:
                    file.unlink(missing_ok=True)
                    session.listen(1.2)
                    for name, step in review(session, examples):
                        took[examples].setdefault(name, []).append(step)
                    session.listen(0.8)
                    told = json.loads(file.read_text())
                if examples == words.examples:
                    memory.append(told["rss_mb"])
                    stalls.append(told["stall_ms"])
    figures = list(figures_of(took[SMALL], took[words.examples], words.examples))
    figures += [
        Figure(f"longest stall of the event loop, {words.examples:,} answers", max(stalls), "ms", STALL_MS),
        Figure(f"memory with {words.examples:,} answers", max(memory), "MB", MEMORY_MB),
    ]
    for figure in figures:
        tell(figure)
    if words.json:
        words.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))


def figures_of(few: dict[str, list[Took]], many: dict[str, list[Took]], examples: int) -> Iterator[Figure]:
    """Each step on many answers: how long its words took to come, what was worked for it, and that over few answers."""
    for name, taken in many.items():
        waited = statistics.median(took.waited_ms for took in taken)
        worked = statistics.median(took.worked_ms for took in taken)
        bar = None if name in _BULK else SHOWN_MS if name == "show the list" else UNNOTICED_MS
        yield Figure(f"{name}, {examples:,}" if name in _BULK else name, waited, "ms", bar)
        yield Figure("  worked by the processor", worked, "ms")
        least = max(statistics.median(took.worked_ms for took in few[name]), TICK_MS)
        yield Figure(f"  over {SMALL} answers", worked / least, "times")


if __name__ == "__main__":
    main()

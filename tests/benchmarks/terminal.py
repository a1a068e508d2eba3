"""The app as a person at a terminal meets it: first sight, keys under load, memory, bytes over the line.

    uv run --group bench python tests/benchmarks/terminal.py [--json FILE] [--peers FOLDER] [--repeats N]

Everything runs in pseudo-terminals of 120 × 40, loads and repetitions interleaved; figures are medians over the
repetitions, held against the limit or the peer of the same run. The peers (posting, harlequin, oterm) get environments
of their own under FOLDER, made on first use; without --peers they are left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.jobs import control
from engine.paths import Home
from engine.project import Project
from tests.benchmarks.loads import make_evaluating, make_large, make_talk, make_training, program, streaming
from tests.benchmarks.pseudo_terminal import Session
from tests.tui.seeds import make_stage

EMPTY_APP = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("nothing at all")
Empty().run()
"""
# What to install, how to start it, and words of its first screen. posting dies with a newer tree-sitter.
PEERS = {
    "posting": (["posting", "tree-sitter<0.25.3"], ["posting"], "Collection"),
    "harlequin": (["harlequin"], ["harlequin"], "Query Editor"),
    "oterm": (["oterm"], ["oterm"], "@@@@"),  # its first sight is a picture of signs
}
KEYS_A_ROUND = 30
LISTEN_S = 10.0
TALK_S = 20  # the model is loaded first, and an answer ends by its length


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `bar` is the largest value that is good enough; None: only told."""

    name: str
    value: float
    unit: str
    bar: float | None = None


def first_paint(home: Home, repeats: int, peers: Path | None) -> Iterator[Figure]:
    """From the start of the process to words on the line: the rail of a real project, and where each station stands."""
    own = {**os.environ, "DISTILL_TUI_HOME": str(home.root)}
    runs = {
        "distill-tui": ([str(Path(sys.executable).with_name("distill-tui"))], own, "Evaluation"),
        "an empty Textual app": ([sys.executable, "-c", EMPTY_APP], own, "nothing at all"),
        **{name: peer_run(peers, name) for name in (PEERS if peers else ())},
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    whole: list[float] = []  # until it is also seen where each station stands
    for _ in range(repeats + 1):  # the first round only warms the disk's cache
        for name, (words, environment, sought) in runs.items():
            with Session(words, environment) as session:
                seconds[name].append(session.until(sought) - session.started_at)
                if name == "distill-tui":
                    whole.append(session.until("✓") - session.started_at)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    ours, empty = medians.pop("distill-tui"), medians.pop("an empty Textual app")
    states = statistics.median(whole[1:])
    yield Figure("first sight of a project", 1000 * ours, "ms")
    yield Figure("  over an empty Textual app", ours / empty, "times", 1.5)
    yield Figure("  with the states of its stations", states / empty, "times")
    for name, value in medians.items():
        yield Figure(f"  with its states, over {name}", states / value, "times", 1.0)


def peer_run(folder: Path | None, name: str) -> tuple[list[str], dict[str, str], str]:
    """A peer in an environment of its own, with a home of its own."""
    assert folder is not None
    packages, words, sought = PEERS[name]
    place = folder / name
    if not place.is_dir():
        subprocess.run(["uv", "venv", "-q", "-p", sys.executable, place], check=True)
        subprocess.run(
            ["uv", "pip", "install", "-q", "--compile-bytecode", "-p", place / "bin" / "python", *packages],
            check=True,
        )
    home = folder / f"{name}-home"
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    return [str(place / "bin" / words[0]), *words[1:]], environment, sought


@contextmanager
def watched(home: Home, folder: Path, file: Path, sought: str, **settings: str) -> Iterator[Session]:
    """The app on a project, once words of its screen have come, with its watcher's file."""
    words = [sys.executable, "-m", "tests.benchmarks.watched", str(home.root), str(folder), str(file)]
    with Session(words, {**os.environ, **settings}) as session:
        session.until(sought)
        session.listen(1.5)
        yield session


def round_of_keys(session: Session, file: Path) -> tuple[float, float]:
    """The 95th percentile from a key to the pane that it shows, in ms, and the longest stall of the loop meanwhile."""
    file.unlink(missing_ok=True)
    session.listen(1.2)
    waits: list[float] = []
    for _ in range(KEYS_A_ROUND):
        pressed = session.press("7")
        waits.append(1000 * (session.until("Release") - pressed))
        session.press("w")
        session.listen(0.15)
    session.listen(0.6)
    return statistics.quantiles(waits, n=20)[-1], float(json.loads(file.read_text())["stall_ms"])


def keys_under_load(home: Home, scratch: Path, repeats: int, generating: Path, training: Path) -> Iterator[Figure]:
    """Keys and stalls: nothing to do, 64 answers at once, a training in its job; interleaved."""
    with Project.open(generating, home) as project:
        job_folder = generating / project.jobs.all()[0].folder
    waits: dict[str, list[float]] = {"idle": [], "streams": [], "training": []}
    stalls: dict[str, list[float]] = {"idle": [], "streams": [], "training": []}
    file = scratch / "watched.json"

    def measure(load: str, folder: Path, sought: str) -> None:
        with watched(home, folder, file, sought) as session:
            wait, stall = round_of_keys(session, file)
        waits[load].append(wait)
        stalls[load].append(stall)

    for _ in range(repeats):
        steer(home, training, control.pause, "paused")
        measure("idle", generating, "Examples")
        with streaming(job_folder):
            measure("streams", generating, "Examples")
        steer(home, training, control.resume, "running")
        measure("training", training, "Run")
    steer(home, training, control.pause, "paused")
    idle = statistics.median(waits["idle"])
    yield Figure("key to pane, nothing running, p95", idle, "ms")
    for load, words in (("streams", "64 streams at 2,000 tokens/s"), ("training", "a training in its job")):
        yield Figure(f"  {words}, over idle", statistics.median(waits[load]) / idle, "times", 2.0)
    for load, words in (("streams", "64 streams"), ("training", "training")):
        yield Figure(f"longest stall of the event loop, {words}", statistics.median(stalls[load]), "ms", 100.0)


def steer(home: Home, folder: Path, wish: Callable[..., object], state: str) -> None:
    """Wish something of the project's newest job, and wait until it is so."""
    with Project.open(folder, home) as project:
        job = project.jobs.all()[-1]
        if job.state != state:
            wish(project, job)
        deadline = time.monotonic() + 120
        while project.jobs.get(job.id).state != state:
            assert time.monotonic() < deadline, f"the training is {project.jobs.get(job.id).state}, not {state}"
            time.sleep(0.1)


def traffic(home: Home, scratch: Path, repeats: int, generating: Path, training: Path) -> Iterator[Figure]:
    """Bytes a second over the line while a pane is busy: over ten seconds, of the chat the busiest ten of a visit."""
    evaluating, talk = make_evaluating(home), make_talk(Home.locate(scratch / "talk"))
    rates: dict[tuple[str, str], list[float]] = {}
    busiest: dict[str, list[float]] = {}
    for _ in range(repeats):
        for mode, settings in (("", {}), (", slow mode", {"DISTILL_TUI_SLOW": "1"})):
            for load, folder, sought, arms in (
                ("64 answers", generating, "Examples", ()),
                ("64 answers of three arms", evaluating, "Evaluation", ("unprompted", "prompted", "distilled")),
            ):
                with (
                    streaming(newest_job(home, folder), *arms),
                    watched(home, folder, scratch / "w.json", sought, **settings) as session,
                ):
                    rates.setdefault((load, mode), []).append(session.listen(LISTEN_S) / LISTEN_S / 1000)
            steer(home, training, control.resume, "running")
            with watched(home, training, scratch / "w.json", "Run", **settings) as session:
                rates.setdefault(("training", mode), []).append(session.listen(LISTEN_S) / LISTEN_S / 1000)
            steer(home, training, control.pause, "paused")
            seconds = talking(scratch, talk, settings)
            tens = [sum(seconds[first : first + 10]) / 10 for first in range(len(seconds) - 9)]
            rates.setdefault(("two arms in the chat", mode), []).append(max(tens))
            busiest.setdefault(mode, []).append(max(seconds))
    for (load, mode), values in rates.items():
        yield Figure(f"over the line, {load}{mode}", statistics.median(values), "KB/s", 20.0 if mode else 60.0)

    for mode, values in busiest.items():
        yield Figure(f"  the chat's busiest second{mode}", statistics.median(values), "KB/s")


def newest_job(home: Home, folder: Path) -> Path:
    """The folder of the project's newest job."""
    with Project.open(folder, home) as project:
        return folder / project.jobs.all()[-1].folder


def talking(scratch: Path, folder: Path, settings: Mapping[str, str]) -> list[float]:
    """KB in each second while two arms of a model of this machine answer at once, and after."""
    home = Home.locate(scratch / "talk")
    with watched(home, folder, scratch / "w.json", "Prompt", **settings) as session:
        session.press("1")  # it opens where the round before left it
        session.listen(1.0)
        session.press("9")
        session.until("see whether")
        session.press("\r")
        session.until("enter")
        session.press("What should I do now?")
        session.until("do now?")  # in the field: enter is a key of its own
        session.press("\r")
        session.until("● serve", timeout_s=120)
        seconds = [session.listen(1.0) / 1000 for _ in range(TALK_S)]
    stop(home, folder)  # the next round waits for a server of its own
    return seconds


def large(home: Home, scratch: Path, repeats: int, examples: int) -> Iterator[Figure]:
    """A project of very many examples: memory, and the time until the review shows them."""
    folder, file = make_large(home, examples), scratch / "large.json"
    memory: list[float] = []
    shown: list[float] = []
    for _ in range(repeats):
        with watched(home, folder, file, "Examples") as session:
            pressed = session.press("c")
            shown.append(1000 * (session.until("about number") - pressed))
            session.press("G")
            session.listen(2.0)
            memory.append(float(json.loads(file.read_text())["rss_mb"]))
    yield Figure(f"memory with {examples:,} examples", statistics.median(memory), "MB", 150.0)
    yield Figure(f"key to {examples:,} examples in the review", statistics.median(shown), "ms", 300.0)


def main() -> None:
    """Measure all, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--parts", nargs="*", default=["paint", "keys", "traffic", "large"])
    words = parser.parse_args()
    figures: list[Figure] = []
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="distill-bench-")))
        done, busy, big = (Home.locate(scratch / name) for name in ("done", "busy", "big"))
        make_stage(done, "done")
        program(done, "status", "--project", "meridian-desk")  # it is the one that was used last
        generating, training = Path(), Path()
        if {"keys", "traffic"} & set(words.parts):
            generating, training = make_stage(busy, "generating"), make_training(busy)
            stack.callback(stop, busy, training)
        parts: dict[str, Callable[[], Iterator[Figure]]] = {
            "paint": lambda: first_paint(done, words.repeats, words.peers),
            "keys": lambda: keys_under_load(busy, scratch, words.repeats, generating, training),
            "traffic": lambda: traffic(busy, scratch, words.repeats, generating, training),
            "large": lambda: large(big, scratch, words.repeats, words.examples),
        }
        for name in words.parts:
            for figure in parts[name]():
                figures.append(figure)
                tell(figure)
    if words.json:
        words.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))


def stop(home: Home, folder: Path) -> None:
    """End the newest job, so that nothing of the benchmark stays behind."""
    with Project.open(folder, home) as project:
        control.stop(project, project.jobs.all()[-1], force=True, grace_s=5.0)


def tell(figure: Figure) -> None:
    """One line of the table."""
    verdict = "" if figure.bar is None else f"bar {figure.bar:g}   {'✓' if figure.value <= figure.bar else '✗ missed'}"
    print(f"{figure.name:<52}{figure.value:>9.2f} {figure.unit:<6} {verdict}", flush=True)


if __name__ == "__main__":
    main()

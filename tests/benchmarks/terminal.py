"""The app in a terminal: first paint, keys under load, memory, bytes over the line.

    uv run --group bench python tests/benchmarks/terminal.py [--json FILE] [--peers FOLDER] [--repeats N]

Everything runs in pseudo-terminals of 120 × 40, with loads and repetitions interleaved. Figures are medians over the
repetitions, compared with the limit or the peer of the same run. The peers (posting, harlequin, oterm) get separate
environments under FOLDER, made on first use; without --peers they are left out.
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
from tests.benchmarks.loads import (
    make_chat_project,
    make_evaluating_project,
    make_large_project,
    make_training_project,
    run_program,
    streaming,
)
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
# What to install, how to start it, and a text on its first screen. posting crashes with a newer tree-sitter.
PEERS = {
    "posting": (["posting", "tree-sitter<0.25.3"], ["posting"], "Collection"),
    "harlequin": (["harlequin"], ["harlequin"], "Query Editor"),
    "oterm": (["oterm"], ["oterm"], "@@@@"),  # its first screen is ASCII art
}
KEYS_PER_ROUND = 30
LISTEN_S = 10.0
CHAT_S = 20  # includes loading the model; answers end at the length limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `bar` is the largest value that is good enough, None if there is none."""

    name: str
    value: float
    unit: str
    bar: float | None = None


def first_paint(home: Home, repeats: int, peers: Path | None) -> Iterator[Figure]:
    """From the start of the process to text on the line: the rail of a real project, and the states of its stations."""
    own = {**os.environ, "DISTILL_TUI_HOME": str(home.root)}
    runs = {
        "distill-tui": ([str(Path(sys.executable).with_name("distill-tui"))], own, "Evaluation"),
        "an empty Textual app": ([sys.executable, "-c", EMPTY_APP], own, "nothing at all"),
        **{name: peer_command(peers, name) for name in (PEERS if peers else ())},
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    with_states: list[float] = []  # until the states of the stations are shown too
    for _ in range(repeats + 1):  # the first round only warms the disk cache
        for name, (command, environment, expected) in runs.items():
            with Session(command, environment) as session:
                seconds[name].append(session.until(expected) - session.started_at)
                if name == "distill-tui":
                    with_states.append(session.until("✓") - session.started_at)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    ours, empty = medians.pop("distill-tui"), medians.pop("an empty Textual app")
    states_s = statistics.median(with_states[1:])
    yield Figure("first sight of a project", 1000 * ours, "ms")
    yield Figure("  over an empty Textual app", ours / empty, "times", 1.5)
    yield Figure("  with the states of its stations", states_s / empty, "times")
    for name, value in medians.items():
        yield Figure(f"  with its states, over {name}", states_s / value, "times", 1.0)


def peer_command(folder: Path | None, name: str) -> tuple[list[str], dict[str, str], str]:
    """The command, environment and first text of a peer, with its own virtual environment and home."""
    assert folder is not None
    packages, command, expected = PEERS[name]
    venv = folder / name
    if not venv.is_dir():
        subprocess.run(["uv", "venv", "-q", "-p", sys.executable, venv], check=True)
        subprocess.run(
            ["uv", "pip", "install", "-q", "--compile-bytecode", "-p", venv / "bin" / "python", *packages],
            check=True,
        )
    home = folder / f"{name}-home"
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    return [str(venv / "bin" / command[0]), *command[1:]], environment, expected


@contextmanager
def watched_app(home: Home, folder: Path, file: Path, expected: str, **settings: str) -> Iterator[Session]:
    """The app on a project, once `expected` is on its screen; its watcher writes to `file`."""
    command = [sys.executable, "-m", "tests.benchmarks.watched", str(home.root), str(folder), str(file)]
    with Session(command, {**os.environ, **settings}) as session:
        session.until(expected)
        session.listen(1.5)
        yield session


def measure_keys(session: Session, file: Path) -> tuple[float, float]:
    """The 95th percentile of the time from a key to its pane, in ms, and the longest stall of the event loop."""
    file.unlink(missing_ok=True)
    session.listen(1.2)
    waits: list[float] = []
    for _ in range(KEYS_PER_ROUND):
        pressed = session.press("7")
        waits.append(1000 * (session.until("Release") - pressed))
        session.press("w")
        session.listen(0.15)
    session.listen(0.6)
    return statistics.quantiles(waits, n=20)[-1], float(json.loads(file.read_text())["stall_ms"])


def keys_under_load(home: Home, scratch: Path, repeats: int, generating: Path, training: Path) -> Iterator[Figure]:
    """Key latency and stalls: idle, with 64 streaming answers, and with a training job; interleaved."""
    with Project.open(generating, home) as project:
        job_folder = generating / project.jobs.all()[0].folder
    waits: dict[str, list[float]] = {"idle": [], "streams": [], "training": []}
    stalls: dict[str, list[float]] = {"idle": [], "streams": [], "training": []}
    file = scratch / "watched.json"

    def measure(load: str, folder: Path, expected: str) -> None:
        with watched_app(home, folder, file, expected) as session:
            wait, stall = measure_keys(session, file)
        waits[load].append(wait)
        stalls[load].append(stall)

    for _ in range(repeats):
        set_job_state(home, training, control.pause, "paused")
        measure("idle", generating, "Examples")
        with streaming(job_folder):
            measure("streams", generating, "Examples")
        set_job_state(home, training, control.resume, "running")
        measure("training", training, "Run")
    set_job_state(home, training, control.pause, "paused")
    idle = statistics.median(waits["idle"])
    yield Figure("key to pane, nothing running, p95", idle, "ms")
    for load, label in (("streams", "64 streams at 2,000 tokens/s"), ("training", "a training in its job")):
        yield Figure(f"  {label}, over idle", statistics.median(waits[load]) / idle, "times", 2.0)
    for load, label in (("streams", "64 streams"), ("training", "training")):
        yield Figure(f"longest stall of the event loop, {label}", statistics.median(stalls[load]), "ms", 100.0)


def set_job_state(home: Home, folder: Path, action: Callable[..., object], state: str) -> None:
    """Call `action` on the project's newest job, and wait until the job is in `state`."""
    with Project.open(folder, home) as project:
        job = project.jobs.all()[-1]
        if job.state != state:
            action(project, job)
        deadline = time.monotonic() + 120
        while project.jobs.get(job.id).state != state:
            assert time.monotonic() < deadline, f"the training is {project.jobs.get(job.id).state}, not {state}"
            time.sleep(0.1)


def traffic(home: Home, scratch: Path, repeats: int, generating: Path, training: Path) -> Iterator[Figure]:
    """Bytes per second over the line while a pane is busy: over ten seconds, in the chat the busiest ten."""
    evaluating, chat = make_evaluating_project(home), make_chat_project(Home.locate(scratch / "talk"))
    rates: dict[tuple[str, str], list[float]] = {}
    busiest_second: dict[str, list[float]] = {}
    for _ in range(repeats):
        for mode, settings in (("", {}), (", slow mode", {"DISTILL_TUI_SLOW": "1"})):
            for load, folder, expected, arms in (
                ("64 answers", generating, "Examples", ()),
                ("64 answers of three arms", evaluating, "Evaluation", ("unprompted", "prompted", "distilled")),
            ):
                with (
                    streaming(newest_job(home, folder), *arms),
                    watched_app(home, folder, scratch / "w.json", expected, **settings) as session,
                ):
                    rates.setdefault((load, mode), []).append(session.listen(LISTEN_S) / LISTEN_S / 1000)
            set_job_state(home, training, control.resume, "running")
            with watched_app(home, training, scratch / "w.json", "Run", **settings) as session:
                rates.setdefault(("training", mode), []).append(session.listen(LISTEN_S) / LISTEN_S / 1000)
            set_job_state(home, training, control.pause, "paused")
            seconds = chat_traffic(scratch, chat, settings)
            ten_second_rates = [sum(seconds[first : first + 10]) / 10 for first in range(len(seconds) - 9)]
            rates.setdefault(("two arms in the chat", mode), []).append(max(ten_second_rates))
            busiest_second.setdefault(mode, []).append(max(seconds))
    for (load, mode), values in rates.items():
        yield Figure(f"over the line, {load}{mode}", statistics.median(values), "KB/s", 20.0 if mode else 60.0)

    for mode, values in busiest_second.items():
        yield Figure(f"  the chat's busiest second{mode}", statistics.median(values), "KB/s")


def newest_job(home: Home, folder: Path) -> Path:
    """The folder of the project's newest job."""
    with Project.open(folder, home) as project:
        return folder / project.jobs.all()[-1].folder


def chat_traffic(scratch: Path, folder: Path, settings: Mapping[str, str]) -> list[float]:
    """KB in each second while two arms of a local model answer at once, and after."""
    home = Home.locate(scratch / "talk")
    with watched_app(home, folder, scratch / "w.json", "Prompt", **settings) as session:
        session.press("1")  # the app opens where the previous round left it
        session.listen(1.0)
        session.press("9")
        session.until("see whether")
        session.press("\r")
        session.until("enter")
        session.press("What should I do now?")
        session.until("do now?")  # the text is in the field; enter is sent separately
        session.press("\r")
        session.until("● serve", timeout_s=120)
        seconds = [session.listen(1.0) / 1000 for _ in range(CHAT_S)]
    stop(home, folder)  # the next round starts its own server
    return seconds


def large_project(home: Home, scratch: Path, repeats: int, examples: int) -> Iterator[Figure]:
    """A project with very many examples: memory, and the time until the review shows them."""
    folder, file = make_large_project(home, examples), scratch / "large.json"
    memory: list[float] = []
    shown: list[float] = []
    for _ in range(repeats):
        with watched_app(home, folder, file, "Examples") as session:
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
    args = parser.parse_args()
    figures: list[Figure] = []
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="distill-bench-")))
        done, busy, big = (Home.locate(scratch / name) for name in ("done", "busy", "big"))
        make_stage(done, "done")
        run_program(done, "projects", "use", "meridian-desk")
        generating, training = Path(), Path()
        if {"keys", "traffic"} & set(args.parts):
            generating, training = make_stage(busy, "generating"), make_training_project(busy)
            stack.callback(stop, busy, training)
        parts: dict[str, Callable[[], Iterator[Figure]]] = {
            "paint": lambda: first_paint(done, args.repeats, args.peers),
            "keys": lambda: keys_under_load(busy, scratch, args.repeats, generating, training),
            "traffic": lambda: traffic(busy, scratch, args.repeats, generating, training),
            "large": lambda: large_project(big, scratch, args.repeats, args.examples),
        }
        for name in args.parts:
            for figure in parts[name]():
                figures.append(figure)
                print_figure(figure)
    if args.json:
        args.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))


def stop(home: Home, folder: Path) -> None:
    """Stop the newest job, so that the benchmark leaves no process behind."""
    with Project.open(folder, home) as project:
        control.stop(project, project.jobs.all()[-1], force=True, grace_s=5.0)


def print_figure(figure: Figure) -> None:
    """Print one line of the table."""
    verdict = "" if figure.bar is None else f"bar {figure.bar:g}   {'✓' if figure.value <= figure.bar else '✗ missed'}"
    print(f"{figure.name:<52}{figure.value:>9.2f} {figure.unit:<6} {verdict}", flush=True)


if __name__ == "__main__":
    main()

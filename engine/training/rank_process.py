"""One of the processes of a run: `python -P -m engine.training.rank_process …`, started by a job or a launcher.

With `--folder`, `--rank` and `--size` it is a child of the job's process. With PROJECT and RUN it is one of those that
torchrun (or accelerate launch) started: the first of them carries out the run as a job, the others train along. The
others open no project, ignore signals that ask for a stop, and end when the first does.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import get_args

from engine.errors import DistillError, UsageError
from engine.paths import Home
from engine.project import Project
from engine.records.options import MirrorName, TrainOptions
from engine.records.run import CurvePoint
from engine.redact import redact
from engine.training.brief import Brief, ask_base, load_for, make_trainer
from engine.training.hooks import StepMetrics
from engine.training.processes import keep_to_loopback, launched_ranks
from engine.training.ranks import EndedElsewhere, Ranks, connected
from engine.training.validation import Measurement


def main() -> int:
    """Train along, or lead. Returns the exit status: 0 if another process ended the run, which reports the reason."""
    parser = argparse.ArgumentParser(prog="engine.training.rank_process", description="One of the processes of a run.")
    parser.add_argument("project", type=Path, nargs="?")
    parser.add_argument("run", type=int, nargs="?")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--mirror", action="append", choices=get_args(MirrorName), default=[])
    parser.add_argument("--shard", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rank", type=int)
    parser.add_argument("--size", type=int)
    words = parser.parse_args()
    home = Home.locate(words.home)
    try:
        if words.folder is not None:
            _end_with_parent()
            keep_to_loopback()
            ranks = Ranks(words.rank, words.size, words.rank, words.size)
        elif words.run is None:
            raise UsageError("No run was given.", "Pass either PROJECT and RUN, or --folder.")
        else:
            ranks = launched_ranks() or Ranks()
        if ranks.leads:
            options = TrainOptions(words.run, processes=None, mirrors=tuple(words.mirror), shard=words.shard)
            return _lead(words.project, options, home)
        _ignore_signals()
        with connected(ranks, words.folder):
            train_along(ranks, home)
    except EndedElsewhere as ended:
        print(redact(str(ended)), file=sys.stderr)  # noqa: T201 - standard error is the log
    except DistillError as error:
        print(redact(str(error)), file=sys.stderr)  # noqa: T201
        return 1
    return 0


def train_along(ranks: Ranks, home: Home) -> None:
    """Do this rank's share of the run that the first rank describes. Raises what ends the run."""
    with ranks.together():
        pass  # the first rank checks whether there is anything to do
    brief = ranks.broadcast(Brief, None)
    local, ranks = load_for(brief, home, ranks)
    outputs = ask_base(brief, local, ranks, lambda _done, _total, _what: None)
    make_trainer(brief, local, outputs, _Silent(), ranks).run()


def _lead(project: Path, options: TrainOptions, home: Home) -> int:
    """Carry out the run as a job in this process, one of those that the launcher started."""
    from engine.jobs.worker import carry_out

    with Project.open(project, home) as opened:
        opened.runs.get(options.run_id)
        job = opened.jobs.add(options)
    print(  # noqa: T201 - for the reader of the launcher's log
        f"Job {job.id} trains run {options.run_id}. Follow it: distill-tui jobs follow {job.id} --project {project}",
        flush=True,
    )
    return carry_out(project, job.id, home)


def _ignore_signals() -> None:
    for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(asked, signal.SIG_IGN)


def _end_with_parent() -> None:
    """Exit when standard input closes: the parent never writes to it, so it closes when the parent ends."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()


class _Silent:
    """The hooks of a rank that reports nothing and decides nothing."""

    def on_step(self, metrics: StepMetrics) -> None: ...
    def on_validation(self, step: int, steps: int) -> None: ...
    def on_point(self, point: CurvePoint, measured: Measurement | None) -> None: ...

    def on_saved(self, step: int) -> None: ...
    def on_note(self, text: str) -> None: ...
    def save_first(self) -> bool:
        return False

    def rest(self) -> None: ...
    def end_early(self) -> bool:
        return False


if __name__ == "__main__":
    sys.exit(main())

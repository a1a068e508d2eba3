"""The worker with small test stages in place of the real ones; the model name in the options selects the stage.

Started as a module: `launch.WORKER_MODULE` names it, and PYTHONPATH makes it importable.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.errors import TeacherError
from engine.jobs import worker
from engine.jobs.context import JobContext
from engine.jobs.protocol import Progress
from engine.jobs.stages import STAGES
from engine.records.options import GenerateOptions


def run(context: JobContext, options: GenerateOptions) -> None:
    _STAGES[options.teacher.model](context, options)


def steps(context: JobContext, options: GenerateOptions) -> None:
    """Write the steps to a file, one line each, and continue where that file ends."""
    total = options.limit or 0
    with (context.folder / "facts").open("a+") as facts:
        facts.seek(0)
        for step in range(len(facts.readlines()), total):
            context.checkpoint()
            facts.write(f"{step}\n")
            facts.flush()
            context.emit(Progress(step + 1, total))
            time.sleep(0.002)


def gated(context: JobContext, options: GenerateOptions) -> None:
    """`steps`, waiting half way until the test opens the gate."""
    half = replace(options, limit=(options.limit or 0) // 2)
    steps(context, half)
    while not (context.folder / "gate").exists():
        context.checkpoint()
        time.sleep(0.002)
    steps(context, options)


def on_device(context: JobContext, options: GenerateOptions) -> None:
    with context.hold_device("cpu"):
        steps(context, options)


def stubborn(context: JobContext, options: GenerateOptions) -> None:
    (context.folder / "facts").write_text("0\n")
    while True:
        time.sleep(0.01)


def refused(context: JobContext, options: GenerateOptions) -> None:
    raise TeacherError("The teacher refused.", "It said sk-abcdefghijklmnopqrstuvwxyz.", "Ask another.")


def defect(context: JobContext, options: GenerateOptions) -> None:
    sys.stdout.write(f"printed {os.environ['OPENAI_API_KEY']}\n")
    os.write(2, b"from a library\n")
    raise ZeroDivisionError(f"with {os.environ['OPENAI_API_KEY']}")


def describe_process(context: JobContext, options: GenerateOptions) -> None:
    """Write down what kind of process this is."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
        terminal = True
    except OSError:
        terminal = False
    with (context.folder / "facts").open("w") as facts:
        facts.write(
            f"{os.getsid(0) == os.getpid()} {os.getpgid(0) == os.getpid()} {os.getpriority(os.PRIO_PROCESS, 0)} "
        )
        facts.write(f"{terminal} {sys.stdin.read()!r} {Path.cwd()} {os.environ.get('HF_HUB_OFFLINE')} ")
        facts.write(f"{context.project.home.root}")


_STAGES: dict[str, Callable[[JobContext, GenerateOptions], None]] = {
    stage.__name__: stage for stage in (steps, gated, on_device, stubborn, refused, defect, describe_process)
}

if __name__ == "__main__":
    STAGES["generate"] = "steps_worker:run"
    sys.exit(worker.main())

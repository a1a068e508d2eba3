"""Which function carries out which kind of job. Named, not imported: a stage loads its libraries only when it runs."""

import importlib
from typing import Protocol, cast

from engine.jobs.context import JobContext
from engine.records.options import JobKind, JobOptions

STAGES: dict[JobKind, str] = {
    "synthesize": "engine.questions.job:run",
    "generate": "engine.teachers.job:run",
    "train": "engine.training.job:run",
    "sweep": "engine.training.sweep_job:run",
    "calibrate": "engine.training.calibration:run",
    "evaluate": "engine.evaluation.job:run",
    "export": "engine.releases.job:export",
    "harness": "engine.harness.job:run",
    "serve": "engine.serving.job:run",
    "demo": "engine.demo:run",
    "bench": "engine.benchmark.job:run",
    "update": "engine.updates.job:run",
}


class Stage(Protocol):
    """A stage: carries out one job, and can be called again for a job that did not finish."""

    def __call__(self, context: JobContext, options: JobOptions) -> None: ...


def find_stage(kind: JobKind) -> Stage:
    """Import and return the stage for `kind`."""
    module, function = STAGES[kind].split(":")
    return cast(Stage, getattr(importlib.import_module(module), function))

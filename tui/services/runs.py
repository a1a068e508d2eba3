"""The runs of a project and what their jobs' logs tell of them, read on the store's thread; and a new run.

Every function is a piece of work for `StoreService.ask`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from textual.message import Message

from engine.jobs.follow import read_all
from engine.jobs.protocol import Metrics, SampleAnswer, StampedEvent, WorstTokens
from engine.project import Project
from engine.records.evaluation import Evaluation
from engine.records.job import Job
from engine.records.options import SweepOptions, TrainOptions
from engine.records.run import Run, TrainingConfig
from engine.store.options_json import options_from_json
from engine.training.outlook import Basis, read_basis


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run with what else is known of it. `jobs` worked on it, the oldest first."""

    run: Run
    evaluation: Evaluation | None = None  # its newest
    rows: int = 0  # training rows of its dataset
    jobs: tuple[int, ...] = ()


class RunsRead(Message):
    """All runs were read, the oldest first."""

    def __init__(self, rows: tuple[RunRow, ...]) -> None:
        super().__init__()
        self.rows = rows


class TraceRead(Message):
    """The logs of an ended run were read: every step's metrics and what it answered."""

    def __init__(self, run: Run, events: tuple[StampedEvent, ...]) -> None:
        super().__init__()
        self.run = run
        self.events = events


class BasisRead(Message):
    """What is known before a training was read."""

    def __init__(self, basis: Basis) -> None:
        super().__init__()
        self.basis = basis


class RunAdded(Message):
    """A run was made; it waits for a job to train it."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


def read_runs(project: Project) -> RunsRead:
    """All runs, with their evaluations and jobs."""
    with project.snapshot():
        runs, jobs = project.runs.all(), project.jobs.all()
        datasets = {dataset.sha256: dataset.train for dataset in project.datasets.all()}
        worked = _jobs_of_runs(runs, jobs)
        return RunsRead(
            tuple(
                RunRow(
                    run,
                    project.evaluations.latest(run.id),
                    datasets.get(run.dataset_sha256, 0),
                    tuple(job.id for job in worked[run.id]),
                )
                for run in runs
            )
        )


def trace_reader(run_id: int) -> Callable[[Project], TraceRead]:
    """Work that reads the whole trace of one run."""

    def read(project: Project) -> TraceRead:
        run = project.runs.get(run_id)
        events: list[StampedEvent] = []
        for job in _jobs_of_runs(project.runs.all(), project.jobs.all())[run_id]:
            told = read_all(project.folder / job.folder)
            events += [each for each in told if isinstance(each.event, Metrics | SampleAnswer | WorstTokens)]
        return TraceRead(run, tuple(events))

    return read


def basis_of_training(project: Project) -> BasisRead:
    """What is known before a training."""
    return BasisRead(read_basis(project))


def run_adder(config: TrainingConfig, dataset_sha256: str) -> Callable[[Project], RunAdded]:
    """Work that makes a run of this dataset."""
    return lambda project: RunAdded(project.runs.add(dataset_sha256, config))


def _jobs_of_runs(runs: tuple[Run, ...], jobs: tuple[Job, ...]) -> dict[int, list[Job]]:
    """Which jobs trained which run. A demo's job names no run: it has those that no other job names."""
    found: dict[int, list[Job]] = {run.id: [] for run in runs}
    states = {run.id: run.state for run in runs}
    swept: set[int] = set()
    for job in jobs:
        if job.kind == "train":
            options = options_from_json(job.kind, job.options)
            if isinstance(options, TrainOptions) and options.run_id in found:
                found[options.run_id].append(job)
        elif job.kind == "sweep" and isinstance(options := options_from_json(job.kind, job.options), SweepOptions):
            swept |= {trial.run_id for trial in options.trials}
            # Its log tells of one run after another: what stands last in it is of the one that trains.
            training = [trial.run_id for trial in options.trials if states.get(trial.run_id) in ("running", "paused")]
            for number in training[-1:]:
                found[number].append(job)
    demos = [job for job in jobs if job.kind == "demo"]
    return {number: named or ([] if number in swept else demos) for number, named in found.items()}

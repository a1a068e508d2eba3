"""The runs of a project and what their jobs' logs tell of them, read on the store's thread; and a new run.

Every function is a piece of work for `StoreService.ask`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from textual.message import Message

from engine.clean import clean_line
from engine.jobs.traces import read_trace
from engine.project import Project
from engine.records.evaluation import Evaluation
from engine.records.run import Run, TrainingConfig
from engine.training.facts import Basis, read_basis
from engine.wording import counted
from tui.services.follower import Takes

View = TypeVar("View", bound=Takes)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run with what else is known of it. `jobs` worked on it, the oldest first."""

    run: Run
    evaluation: Evaluation | None = None  # its newest
    rows: int = 0  # training rows of its dataset
    jobs: tuple[int, ...] = ()


@dataclass
class RunsRead(Message):
    """All runs were read, the oldest first."""

    rows: tuple[RunRow, ...]


@dataclass
class TraceRead(Message, Generic[View]):
    """The logs of an ended run were read: `view` has taken in every step's metrics and what it answered."""

    run: Run
    view: View


@dataclass
class BasisRead(Message):
    """What is known before a training was read."""

    basis: Basis


@dataclass
class RunAdded(Message):
    """A run was made; it waits for a job to train it."""

    run: Run


@dataclass
class RunDeleted(Message):
    """A run is gone; `said` tells with what."""

    said: str


def read_runs(project: Project) -> RunsRead:
    """All runs, with their evaluations and jobs."""
    with project.snapshot():
        worked = project.runs.trained_by()
        datasets = {dataset.sha256: dataset.train for dataset in project.datasets.all()}
        return RunsRead(
            tuple(
                RunRow(
                    run,
                    project.evaluations.latest(run.id),
                    datasets.get(run.dataset_sha256, 0),
                    worked.get(run.id, ()),
                )
                for run in project.runs.all()
            )
        )


def trace_reader(run_id: int, begin: Callable[[], View]) -> Callable[[Project], TraceRead[View]]:
    """Work that reads the whole trace of one run; `begin` makes a view that has taken in nothing yet."""

    def work(project: Project) -> TraceRead[View]:
        view = begin()
        for stamped in read_trace(project, run_id):
            view.apply(stamped)
        return TraceRead(project.runs.get(run_id), view)

    return work


def run_deleter(run_id: int) -> Callable[[Project], RunDeleted]:
    """Work that deletes a run, where nothing needs it."""

    def work(project: Project) -> RunDeleted:
        from engine.training.deleting import delete_run  # hardly ever wanted

        deleted = delete_run(project, run_id)
        gone = f"Deleted run {run_id}, {counted(deleted.evaluations, 'evaluation')}, {counted(deleted.votes, 'vote')}."
        stays = f" A link led to its files, which stay in {clean_line(str(deleted.elsewhere))}."
        return RunDeleted(gone + (stays if deleted.elsewhere else ""))

    return work


def basis_of_training(project: Project) -> BasisRead:
    """What is known before a training."""
    return BasisRead(read_basis(project))


def run_adder(config: TrainingConfig, dataset_sha256: str) -> Callable[[Project], RunAdded]:
    """Work that makes a run of this dataset."""
    return lambda project: RunAdded(project.runs.add(dataset_sha256, config))

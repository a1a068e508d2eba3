"""The runs of a project with what their jobs logged, read on the store's thread; and creating a run.

Every function is work for `StoreService.ask`, or for `start_with`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from textual.message import Message

from engine.clean import clean_line
from engine.jobs.traces import read_trace
from engine.project import Project
from engine.records.evaluation import Evaluation
from engine.records.options import TrainOptions
from engine.records.run import Run, TrainingConfig
from engine.training.facts import Basis, read_basis
from engine.wording import counted
from tui.services.job_view import JobView


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run and what belongs to it. `jobs` trained it, oldest first."""

    run: Run
    evaluation: Evaluation | None = None  # its newest
    rows: int = 0  # training rows of its dataset
    jobs: tuple[int, ...] = ()


@dataclass
class RunsRead(Message):
    """All runs, oldest first."""

    rows: tuple[RunRow, ...]


@dataclass
class TraceRead(Message):
    """The logs of an ended run were read: `view` has the metrics of every step and the sampled answers."""

    run: Run
    view: JobView


@dataclass
class BasisRead(Message):
    """The inputs of a new training were read."""

    basis: Basis


@dataclass
class RunDeleted(Message):
    """A run was deleted; `notice` reports what went with it."""

    notice: str


def read_runs(project: Project) -> RunsRead:
    """Read all runs, with their evaluations and jobs."""
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


def trace_reader(run_id: int) -> Callable[[Project], TraceRead]:
    """Work that reads the whole trace of one run."""

    def work(project: Project) -> TraceRead:
        view = JobView(0, "train")
        for stamped in read_trace(project, run_id):
            view.apply(stamped)
        return TraceRead(project.runs.get(run_id), view)

    return work


def run_deleter(run_id: int) -> Callable[[Project], RunDeleted]:
    """Work that deletes a run unless something needs it."""

    def work(project: Project) -> RunDeleted:
        from engine.training.deleting import delete_run  # rarely needed

        deleted = delete_run(project, run_id)
        gone = f"Deleted run {run_id}, {counted(deleted.evaluations, 'evaluation')}, {counted(deleted.votes, 'vote')}."
        stays = f" Only the link to its files was deleted; they stay in {clean_line(str(deleted.elsewhere))}."
        return RunDeleted(gone + (stays if deleted.elsewhere else ""))

    return work


def basis_of_training(project: Project) -> BasisRead:
    """Read the inputs of a new training."""
    return BasisRead(read_basis(project))


def run_adder(config: TrainingConfig, dataset_sha256: str) -> Callable[[Project], TrainOptions]:
    """Work that creates a run on this dataset, for a job that trains it."""
    return lambda project: TrainOptions(project.runs.add(dataset_sha256, config).id)

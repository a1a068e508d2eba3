"""The runs of a project with what their jobs logged, read on the store's thread; and creating a run.

Every function is work for `StoreService`.
"""

from dataclasses import dataclass

from engine.clean import clean_line
from engine.jobs.traces import read_trace
from engine.project import Project
from engine.records.evaluation import Evaluation
from engine.records.options import TrainOptions
from engine.records.run import Run, TrainingConfig
from engine.wording import counted
from tui.services.job_view import JobView


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run and what belongs to it. `jobs` trained it, oldest first."""

    run: Run
    evaluation: Evaluation | None = None  # its newest
    rows: int = 0  # training rows of its dataset
    jobs: tuple[int, ...] = ()


def read_runs(project: Project) -> tuple[RunRow, ...]:
    """Read all runs, with their evaluations and jobs, oldest first."""
    with project.snapshot():
        worked = project.runs.trained_by()
        datasets = {dataset.sha256: dataset.train for dataset in project.datasets.all()}
        return tuple(
            RunRow(
                run,
                project.evaluations.latest(run.id),
                datasets.get(run.dataset_sha256, 0),
                worked.get(run.id, ()),
            )
            for run in project.runs.all()
        )


def trace_of(project: Project, run_id: int) -> JobView:
    """Read what the jobs of an ended run logged: the metrics of every step, and the sampled answers."""
    view = JobView(0, "train")
    for stamped in read_trace(project, run_id):
        view.apply(stamped)
    return view


def remove_run(project: Project, run_id: int) -> str:
    """Delete a run unless something needs it; returns what went with it, in words."""
    from engine.training.deleting import delete_run  # rarely needed

    deleted = delete_run(project, run_id)
    gone = f"Deleted run {run_id}, {counted(deleted.evaluations, 'evaluation')}, {counted(deleted.votes, 'vote')}."
    stays = f" Only the link to its files was deleted; they stay in {clean_line(str(deleted.elsewhere))}."
    return gone + (stays if deleted.elsewhere else "")


def add_run(project: Project, config: TrainingConfig, dataset_sha256: str) -> TrainOptions:
    """Create a run on this dataset; returns the options of a job that trains it."""
    return TrainOptions(project.runs.add(dataset_sha256, config).id)

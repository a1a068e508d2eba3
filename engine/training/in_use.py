"""Which jobs work with a run, and whether another one may train it. Reads the store and each job's options."""

from collections.abc import Iterator

from engine.errors import JobError, TrainingError
from engine.jobs.liveness import mark_lost_jobs
from engine.project import Project
from engine.records.job import LIVE_STATES, Job
from engine.records.options import (
    EvaluateOptions,
    ExportOptions,
    HarnessOptions,
    ServeOptions,
    SweepOptions,
    TrainOptions,
)
from engine.records.run import Run, TrainingConfig
from engine.store.jobs import options_of_job


def require_free_to_train(project: Project, run_id: int) -> None:
    """Raise `TrainingError` if the run is trained already, and `JobError` if a live job trains it."""
    mark_lost_jobs(project)
    if project.runs.get(run_id).state == "done":
        raise TrainingError(
            f"Run {run_id} is already trained.", "", f"Start another from it: distill-tui train --initial-run {run_id}"
        )
    begun = project.runs.trained_by().get(run_id, ())
    for job in project.jobs.live():
        if job.id in begun or run_id in _trained_by(job):
            raise JobError(
                f"Run {run_id} already has a job that trains it.",
                f"Job {job.id} ({job.kind}) is {job.state}.",
                f"Follow it: distill-tui jobs follow {job.id}",
            )


def require_free_to_resume(project: Project, job: Job) -> None:
    """Raise as `require_free_to_train` does for the run that an ended job would train if it was resumed."""
    options = options_of_job(job)
    if job.state not in LIVE_STATES and isinstance(options, TrainOptions):
        require_free_to_train(project, options.run_id)


def never_started(project: Project, dataset_sha256: str, config: TrainingConfig) -> Run | None:
    """Return the newest run with this dataset and configuration that no job was started for, or None."""
    begun, live = {run_id for job in project.jobs.all() for run_id in _trained_by(job)}, project.jobs.live()
    return next(
        (
            run
            for run in reversed(project.runs.all())
            if (run.state, run.dataset_sha256, run.config) == ("waiting", dataset_sha256, config)
            and run.id not in begun
            and not any(works_with(project, job, run, at_work=True) for job in live)
        ),
        None,
    )


def works_with(project: Project, job: Job, run: Run, *, at_work: bool) -> bool:
    """Whether the options of the job name the run; `at_work`: the job is active, so also whether it may use any run."""
    options = options_of_job(job)
    match options:
        case TrainOptions() | SweepOptions():
            trained = _trained_by(job)
            return run.id in trained or (at_work and run.id in set(_begun_from(project, trained)))
        case EvaluateOptions():
            return run.id in {options.run_id, *map(_run_of_arm, options.arms)}
        case ExportOptions(number):
            return number == run.id
        case HarnessOptions(release_id):
            return any((each.id, each.run_id) == (release_id, run.id) for each in project.releases.all())
        case ServeOptions(number):
            return at_work and number == run.id  # a stopped server is started again, not resumed
        case _:
            return at_work and options.multi_station  # such a job may work with any run


def _trained_by(job: Job) -> set[int]:
    match options_of_job(job):
        case TrainOptions(number):
            return {number}
        case SweepOptions(trials):
            return {trial.run_id for trial in trials}
        case _:
            return set()


def _begun_from(project: Project, runs: set[int]) -> Iterator[int | None]:
    return (run.config.initial_run_id for run in project.runs.all() if run.id in runs)


def _run_of_arm(name: str) -> int:
    """Return the run that an arm of an evaluation names, `run:3` or `checkpoint:3:120`; 0: none."""
    kind, _, rest = name.partition(":")
    number = rest.partition(":")[0]
    return int(number) if kind in ("run", "checkpoint") and number.isdecimal() else 0

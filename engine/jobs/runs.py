"""Which jobs trained which run: those that name it, else the one that made it and whoever went on with it."""

from collections.abc import Sequence
from itertools import pairwise

from engine.records.job import Job
from engine.records.options import OPTIONS_OF_KIND, SweepOptions, TrainOptions
from engine.records.run import Run
from engine.store.jobs import options_of_job


def jobs_of_runs(runs: Sequence[Run], jobs: Sequence[Job]) -> dict[int, list[Job]]:
    """Which jobs trained which run, of both the oldest first.

    A job that conducts names none: it has the runs that no other names and that it made or went
    on with, as their times tell.
    """
    found: dict[int, list[Job]] = {run.id: [] for run in runs}
    states = {run.id: run.state for run in runs}
    swept: set[int] = set()
    for job in jobs:
        if job.kind == "train":
            options = options_of_job(job)
            if isinstance(options, TrainOptions) and options.run_id in found:
                found[options.run_id].append(job)
        elif job.kind == "sweep" and isinstance(options := options_of_job(job), SweepOptions):
            swept |= {trial.run_id for trial in options.trials}
            # Its log tells of one run after another: what stands last in it is of the one that trains.
            training = [trial.run_id for trial in options.trials if states.get(trial.run_id) in ("running", "paused")]
            for number in training[-1:]:
                found[number].append(job)
    conducting = [job for job in jobs if OPTIONS_OF_KIND[job.kind].conducts]
    # What is deleted was made all the same: whoever went on with it did not go on with the run before it.
    times = [each for run in runs for each in ((run.id, run.created_at), *run.deleted_after)]
    makers = ((number, _maker(made_at, conducting)) for number, made_at in times if number not in swept)
    made = [(number, place) for number, place in makers if place is not None]
    for (number, place), (_, following) in pairwise([*made, (0, len(conducting))]):
        if number in found and not found[number]:
            # The job that made it, and those that went on with it before the next run was made.
            found[number] += conducting[place : max(place + 1, following)]
    return found


def _maker(made_at: str, conducting: Sequence[Job]) -> int | None:
    """The place of the newest job that was at work when a run was made; None where none was."""
    places = (
        place
        for place, job in enumerate(conducting)
        if job.created_at <= made_at and not (job.ended_at and job.ended_at < made_at)
    )
    return max(places, default=None)

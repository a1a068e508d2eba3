"""The job of a sweep: trains one run after another, then compares them. A run that is done is skipped."""

import math

from engine.errors import JobStopped, ModelError, TrainingError
from engine.jobs.context import JobContext
from engine.jobs.control_file import read_command, write_command
from engine.jobs.protocol import Note
from engine.records.options import SweepOptions, TrainOptions
from engine.training import job
from engine.training.sweep import Tried, sweep_text, winner


def run(context: JobContext, options: SweepOptions) -> None:
    """Train the runs that `options` names. One that cannot be trained is reported, and the sweep continues.

    Raises `TrainingError` if none could be trained, and `JobStopped` as a training does.
    """
    runs = context.project.runs
    most_s = math.inf if options.minutes is None else 60 * options.minutes
    for place, trial in enumerate(options.trials, start=1):
        if runs.get(trial.run_id).state == "done":
            continue
        context.emit(Note(f"Run {trial.run_id}, {place} of {len(options.trials)}: {trial.words or 'the defaults'}"))
        try:
            job.run(context, TrainOptions(trial.run_id), most_s)
        except JobStopped:
            raise
        except (TrainingError, ModelError) as error:  # the latter if it runs out of memory, among others
            context.emit(Note(f"Run {trial.run_id} could not be trained: {error.title} {error.message}"))
        if read_command(context.folder) == "keep":
            write_command(context.folder, "run")  # it was meant only for this run
    tried = [Tried(runs.get(trial.run_id), trial.words) for trial in options.trials]
    won = winner(tried)
    if won is None:
        raise TrainingError("No run of the sweep finished.", tried[-1].run.reason, "Try smaller learning rates.")
    for line in sweep_text(tried, won).splitlines():
        context.emit(Note(line))

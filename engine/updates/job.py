"""The update, as a job: carries over what still holds, asks for the rest, trains on, and measures old beside new.

Each step looks at the project and does what is missing, so that a killed update goes on where it ended. Knows nothing
of how a station works, nor of who follows.
"""

import dataclasses

from engine.conduct import freeze_accepted
from engine.jobs.context import JobContext
from engine.jobs.protocol import Note, StageStarted
from engine.records.options import TrainOptions, UpdateOptions
from engine.records.run import Run, TrainingConfig
from engine.updates.begin import require_idle
from engine.updates.carry import carry
from engine.updates.plan import UpdatePlan, plan_update
from engine.updates.side_by_side import earlier_run, evaluation_beside
from engine.wording import counted


def run(context: JobContext, options: UpdateOptions) -> None:
    """Bring the project up to date with its prompt and rules. Raises UsageError where another job is at work in it,
    and what a stage raises.
    """
    import engine.evaluation.job
    import engine.training.job

    project = context.project
    # Of two updates that were started at one moment the older goes on.
    require_idle(project, lambda job: job.kind == "update" and job.id >= context.job.id)
    plan = plan_update(project, by_rules_alone=options.by_rules)
    if plan.changed:
        _answer(context, plan)
    trained = _run_of_newest(context, plan, options)
    if trained.state != "done":
        context.emit(StageStarted("run"))
        engine.training.job.run(context, TrainOptions(trained.id))
    if project.evaluations.latest(trained.id) is None:
        context.emit(StageStarted("evaluation"))
        earlier = earlier_run(project, trained)
        if earlier is None:
            words = "There is no earlier adapter over this base: the new student is measured without an old one."
            context.emit(Note(words))
        engine.evaluation.job.run(context, evaluation_beside(project, trained, earlier))


def _answer(context: JobContext, plan: UpdatePlan) -> None:
    """Carry over, ask for the rest, let the rules decide, and freeze."""
    import engine.teachers.job

    context.emit(StageStarted("examples"))
    carried = carry(context.project, plan)
    context.emit(Note(f"{counted(carried.answers, 'answer')} carried over."))
    if carried.options is not None:
        engine.teachers.job.run(context, carried.options)
    context.emit(StageStarted("dataset"))
    freeze_accepted(context)


def _run_of_newest(context: JobContext, plan: UpdatePlan, options: UpdateOptions) -> Run:
    """The run of the newest dataset, made if it is not there: to train from the earlier adapter, or from the base."""
    project = context.project
    dataset, newest = project.datasets.require_latest(), project.runs.latest()
    if newest is not None and newest.dataset_sha256 == dataset.sha256:
        return newest
    earlier = plan.run
    config = TrainingConfig(dataset.base) if earlier is None else earlier.config
    start = earlier.id if earlier is not None and not options.from_scratch else None
    share = 1.0 if start is None else 0.25  # an adapter that knows the rest needs little for what is new
    epochs = options.epochs if options.epochs is not None else config.epochs * share
    run = project.runs.add(
        dataset.sha256, dataclasses.replace(config, epochs=epochs, initial_run_id=start, replanned=())
    )
    begins = f"from run {start}'s adapter" if start is not None else "from the base"
    context.emit(Note(f"Run {run.id} trains {begins} for {epochs:g} epochs."))
    return run

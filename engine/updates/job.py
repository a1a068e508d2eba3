"""The update job: carries over what still holds, asks for the rest, trains further, and compares old and new.

Each step checks the project and does what is missing, so that a killed update resumes where it ended. Knows nothing of
how a station works, nor of who follows the job.
"""

import dataclasses
from contextlib import ExitStack

from engine.errors import UsageError
from engine.folders import locate_project
from engine.jobs.context import JobContext
from engine.jobs.protocol import Note, StageStarted
from engine.pipeline import configuration, freeze_accepted
from engine.project import Project
from engine.records.dataset import DatasetSummary
from engine.records.options import GenerateOptions, TrainOptions, UpdateOptions
from engine.records.run import Run
from engine.training.presets import USUAL
from engine.updates.begin import require_idle
from engine.updates.carry import carry
from engine.updates.plan import UpdatePlan, plan_update
from engine.updates.side_by_side import earlier_run, evaluation_beside
from engine.wording import counted

_NAMED = 12  # maximum questions named in a note


def run(context: JobContext, options: UpdateOptions) -> None:
    """Bring the project up to date with its prompt and rules.

    Raises UsageError if another job is live in it, or if something changed after this update started to train; also
    whatever a stage raises.
    """
    import engine.evaluation.job
    import engine.training.job

    project = context.project
    # If two updates were started at the same time, the older one continues.
    require_idle(project, lambda job: job.kind == "update" and job.id >= context.job.id)
    plan = plan_update(project, by_rules_alone=options.by_rules)
    _require_its_run(context, plan)
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
            words = "There is no earlier adapter for this base, so the new student is evaluated without an old one."
            context.emit(Note(words))
        engine.evaluation.job.run(context, evaluation_beside(project, trained, earlier))


def _require_its_run(context: JobContext, plan: UpdatePlan) -> None:
    """Raise UsageError if a resumed update would train another run: the log of an update is that of one run."""
    project, number = context.project, context.job.id
    if context.job.stage not in ("run", "evaluation"):  # nothing is trained yet
        return
    run = _run_of(project.runs.latest(), project.datasets.require_latest())
    if not plan.changed and run is not None:
        mine = [run_id for run_id, jobs in project.runs.trained_by().items() if number in jobs]
        if run.state == "done" or not mine or run.id in mine:
            return
    raise UsageError(
        f"Update {number} is for an older state of the project.",
        "The prompt, a rule, the dataset or the newest run has changed since it started to train.",
        "Start a new one: `distill-tui update` does what is still missing.",
    )


def _answer(context: JobContext, plan: UpdatePlan) -> None:
    """Carry over, ask for the rest, let the rules decide, and freeze, again including the same other projects."""
    import engine.teachers.job

    home = context.project.home
    with ExitStack() as opened:
        # Without the other prompts of the old dataset, the student would forget them.
        others = [
            opened.enter_context(Project.open(locate_project(other.project, home), home)) for other in plan.old.others
        ]
        context.emit(StageStarted("examples"))
        carried = carry(context.project, plan)
        context.emit(Note(f"{counted(carried.answers, 'answer')} carried over."))
        if carried.options is not None:
            engine.teachers.job.run(context, carried.options)
            _tell_unanswered(context, carried.options)
        context.emit(StageStarted("dataset"))
        freeze_accepted(context, others=others)


def _tell_unanswered(context: JobContext, options: GenerateOptions) -> None:
    """Report which answers are missing from the training, and how to get them."""
    project = context.project
    missing = project.examples.missing(options.asks, project.prompts.require().sha256, options.teacher.name)
    questions = list(dict.fromkeys(question_id for question_id, _ in missing))
    if not questions:
        return
    if len(questions) > _NAMED:
        named = ", ".join(map(str, questions[:_NAMED]))
        again = f"--question ID, for each of {named} and {len(questions) - _NAMED} more"
    else:
        again = " ".join(f"--question {question_id}" for question_id in questions)
    context.emit(
        Note(
            f"{len(missing)} of {counted(len(options.asks), 'answer')} did not arrive: the student is trained without "
            f"{'it' if len(missing) == 1 else 'them'}. Ask again after this update: distill-tui generate "
            f"{again}; then distill-tui curate check, distill-tui curate freeze and distill-tui update."
        )
    )


def _run_of_newest(context: JobContext, plan: UpdatePlan, options: UpdateOptions) -> Run:
    """Return the run of the newest dataset; if missing, create one that starts from the earlier adapter or the base."""
    project = context.project
    dataset = project.datasets.require_latest()
    if (newest := _run_of(project.runs.latest(), dataset)) is not None:
        return newest
    earlier = plan.run
    config = configuration(project, USUAL if earlier is None else earlier.config, dataset.base)
    start = earlier.id if earlier is not None and not options.from_scratch else None
    share = 1.0 if start is None else 0.25  # an adapter that already knows the rest needs little training
    epochs = options.epochs if options.epochs is not None else config.epochs * share
    run = project.runs.add(
        dataset.sha256, dataclasses.replace(config, epochs=epochs, initial_run_id=start, replanned=())
    )
    begins = f"from run {start}'s adapter" if start is not None else "from the base"
    context.emit(Note(f"Run {run.id} starts {begins} and trains for {counted(epochs, 'epoch', 'g')}."))
    return run


def _run_of(newest: Run | None, dataset: DatasetSummary) -> Run | None:
    return newest if newest is not None and newest.dataset_sha256 == dataset.sha256 else None

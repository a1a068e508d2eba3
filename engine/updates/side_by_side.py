"""How an updated student is measured: as the one before it was, and with that one as an arm of its own.

Old and new then meet the same questions, seeds and rules in one evaluation. Reads the store; starts nothing.
"""

from dataclasses import replace

from engine.errors import NotFoundError
from engine.model.adapter_place import adapter_of
from engine.project import Project
from engine.records.options import EvaluateOptions, usual_samples
from engine.records.run import Run, TrainingConfig


def earlier_run(project: Project, run: Run) -> Run | None:
    """The run that `run` follows: whose adapter it began from, else the newest finished one before it that can be in
    memory with it.

    None where there is none, or its adapter is gone.
    """
    before = [
        each
        for each in project.runs.all()
        if each.id < run.id and each.state == "done" and _fit_together(each.config, run.config)
    ]
    began = run.config.initial_run_id
    found = next((each for each in before if each.id == began), before[-1] if before and began is None else None)
    try:
        if found is not None:
            adapter_of(project.folder, found)
    except NotFoundError:
        return None
    return found


def _fit_together(one: TrainingConfig, other: TrainingConfig) -> bool:
    """Over one base, and either both whole layers or neither."""
    return one.held_base == other.held_base and (one.adapter == "full") == (other.adapter == "full")


def evaluation_beside(project: Project, run: Run, earlier: Run | None) -> EvaluateOptions:
    """The evaluation of `run` that asks what the last one of `earlier` asked, else the last one at all."""
    settings = project.settings.read()
    options = EvaluateOptions(
        run_id=run.id,
        temperature=settings.serving_temperature,
        samples=usual_samples(settings.serving_temperature),
        teacher=settings.other_teacher,
        judge=settings.judge,
        arms=() if earlier is None else (f"run:{earlier.id}",),
    )
    last = project.evaluations.latest(earlier.id) if earlier is not None else None
    last = last or project.evaluations.latest()
    if last is None:
        return options
    return replace(
        options,
        split=last.split,
        temperature=last.temperature,
        samples=last.samples,
        limit=last.limit,
        seed=last.seed,
        max_answer_tokens=last.max_answer_tokens or options.max_answer_tokens,
        regressions=last.regressions is not None,
    )

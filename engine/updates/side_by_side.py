"""How an updated student is evaluated: like the previous one, and with the previous one as an extra arm.

Old and new then get the same questions, seeds and rules in one evaluation. Reads the store; starts nothing.
"""

from dataclasses import replace

from engine.errors import NotFoundError
from engine.model.adapter_place import adapter_of
from engine.project import Project
from engine.records.options import EvaluateOptions, usual_samples
from engine.records.run import Run, TrainingConfig


def earlier_run(project: Project, run: Run) -> Run | None:
    """Return the run that `run` follows: the one whose adapter it started from, else the newest earlier finished one
    that can be loaded together with it.

    None if there is none, or if its adapter is gone.
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
    """Whether both have the same base, and either both are full fine-tunings or neither is."""
    return one.loaded_base == other.loaded_base and (one.adapter == "full") == (other.adapter == "full")


def evaluation_beside(project: Project, run: Run, earlier: Run | None) -> EvaluateOptions:
    """Return options to evaluate `run` like the last evaluation of `earlier`, else like the last one of any run."""
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

"""`distill-tui train`: the fifth station. Makes a run of the newest dataset and starts the job that trains it."""

import dataclasses
from typing import get_args

import click
from click.core import ParameterSource

from engine.cli.following import start_and_follow
from engine.cli.invocation import Invocation, Number, command_options
from engine.records.options import TrainOptions
from engine.records.run import Objective, TrainingConfig
from engine.status import job_json
from engine.training.presets import Preset

_DEFAULT = TrainingConfig(base="starter")


@click.command("train")
@click.option("--preset", type=click.Choice(get_args(Preset)), help="Choose what is not given by data, model, memory.")
@click.option("--show", is_flag=True, help="Print what the preset chooses, and why; train nothing.")
@click.option("--objective", type=click.Choice(get_args(Objective)), default=_DEFAULT.objective, show_default=True)
@click.option("--cross-entropy-weight", type=Number(0.0, 1.0), default=_DEFAULT.cross_entropy_weight)
@click.option("--epochs", type=Number(0.01), default=_DEFAULT.epochs, show_default=True)
@click.option("--learning-rate", type=Number(0.0, 1.0), default=_DEFAULT.learning_rate, show_default=True)
@click.option("--batch-rows", type=click.IntRange(1), default=_DEFAULT.batch_rows, help="Rows an optimizer step.")
@click.option("--lora-rank", type=click.IntRange(1, 1024), default=_DEFAULT.lora_rank, show_default=True)
@click.option("--top-k", type=click.IntRange(1, 1024), default=_DEFAULT.top_k, help="Teacher tokens kept a position.")
@click.option("--evaluations", type=click.IntRange(1, 100), default=_DEFAULT.evaluations, help="Validation passes.")
@click.option("--dtype", type=click.Choice(("auto", "float32", "bfloat16")), default="auto")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
@click.option("--seed", type=int, default=0)
@click.option("--detach", is_flag=True, help="Print the job's id and return.")
@command_options
def command(
    invocation: Invocation,
    preset: Preset | None,
    show: bool,
    objective: Objective,
    cross_entropy_weight: float,
    epochs: float,
    learning_rate: float,
    batch_rows: int,
    lora_rank: int,
    top_k: int,
    evaluations: int,
    dtype: str,
    device: str,
    seed: int,
    detach: bool,
) -> None:
    """Train an adapter on the newest dataset: question → answer, without the prompt."""
    from engine.errors import NotFoundError
    from engine.training.facts import read_facts
    from engine.training.presets import choice_json, choice_text, choose

    project = invocation.project
    dataset = project.datasets.latest()
    if dataset is None:
        raise NotFoundError("There is no dataset to train on.", "", "Freeze one: distill-tui curate freeze")
    config = dataclasses.replace(
        _DEFAULT,
        base=dataset.base,
        objective=objective,
        cross_entropy_weight=cross_entropy_weight,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_rows=batch_rows,
        micro_batch_rows=min(batch_rows, _DEFAULT.micro_batch_rows),
        lora_rank=lora_rank,
        lora_alpha=2 * lora_rank,
        top_k=top_k,
        evaluations=evaluations,
        dtype="float32" if dtype == "float32" else "bfloat16" if dtype == "bfloat16" else "auto",
        device=device,
        seed=seed,
    )
    if preset is not None:
        choice = choose(preset, read_facts(project, config), config, _said())
        if show:
            invocation.finish(choice_text(choice), choice_json(choice))
            return
        invocation.say(choice_text(choice))
        config = choice.require_fit().config
    elif show:
        raise click.UsageError("--show needs a --preset.")
    run = project.runs.add(dataset.sha256, config)
    job = start_and_follow(invocation, TrainOptions(run.id), detach=detach)
    if job is None:
        return
    run = project.runs.get(run.id)
    best = next((point for point in run.curve if point.best), None)
    figures = f": validation KL {best.validation_kl:.3f}, all rules {best.all_rules_rate:.0%}" if best else ""
    invocation.finish(
        f"Run {run.id} is trained, best at step {run.best_step} of {run.steps}{figures}.\nNext: distill-tui evaluate",
        {
            "job": job_json(invocation.project, job),
            "run": {
                "id": run.id,
                "folder": run.folder,
                "steps": run.steps,
                "best_step": run.best_step,
                "train_s": run.train_s,
                "validation_kl": best.validation_kl if best else None,
                "all_rules_rate": best.all_rules_rate if best else None,
            },
        },
    )


def _said() -> set[str]:
    """The options that were given, not left to their defaults."""
    context = click.get_current_context()
    given = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    return {name for name in context.params if context.get_parameter_source(name) in given}

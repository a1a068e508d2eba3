"""`distill-tui train`: the fifth station. Makes a run of the newest dataset and starts the job that trains it."""

import dataclasses
from pathlib import Path
from typing import get_args

import click

from engine.cli.following import start_and_follow
from engine.cli.invocation import CommandGroup, Invocation, command_options
from engine.cli.train_sweep import sweep
from engine.cli.training_options import as_it_begins, preset_of, preset_option, said, training_options
from engine.jobs.protocol import WorstTokens
from engine.records.options import CalibrateOptions, MirrorName, TrainOptions
from engine.records.run import TrainingConfig
from engine.status import job_json
from engine.training.clusters import Launch, Launcher, launch_text
from engine.wording import rate_of

_WITH_A_RUN = {
    "run_id",
    "epochs",
    "processes",
    "shard",
    "nodes",
    "print_launch",
    "mirrors",
    "detach",
    "json_output",
    "project_name",
    "home",
}


@click.group("train", cls=CommandGroup, invoke_without_command=True)
@preset_option()
@click.option("--show", is_flag=True, help="Print what is chosen, why, and what it will take; train nothing.")
@click.option(
    "--calibrate", is_flag=True, help="First measure a few steps of the longest rows, and estimate from them."
)
@training_options
@click.option(
    "--run", "run_id", type=click.IntRange(1), help="Go on with this run where it ended, perhaps for other --epochs."
)
@click.option("--processes", type=click.IntRange(1), default=1, help="That share every step, on each machine.")
@click.option("--shard", is_flag=True, help="Each of these holds a part of the base's layers, not all (FSDP).")
@click.option("--nodes", type=click.IntRange(1), default=1, help="Machines, with --print-launch.")
@click.option(
    "--print-launch", type=click.Choice(get_args(Launcher)), help="Print what carries out the run there; start nothing."
)
@click.option(
    "--mirror",
    "mirrors",
    type=click.Choice(get_args(MirrorName)),
    multiple=True,
    help="Tell the metrics there too, on this machine; repeatable.",
)
@click.option("--detach", is_flag=True, help="Start the job, say its number, and return.")
@command_options
def command(
    invocation: Invocation,
    preset: str,
    show: bool,
    calibrate: bool,
    asked: TrainingConfig,
    run_id: int | None,
    processes: int,
    shard: bool,
    nodes: int,
    print_launch: Launcher | None,
    mirrors: tuple[MirrorName, ...],
    detach: bool,
) -> None:
    """Train an adapter on the newest dataset: question → answer, without the prompt."""
    from engine.model.four_bits import require_four_bits
    from engine.training.facts import read_basis
    from engine.training.mirrors import require_libraries
    from engine.training.outlook import estimate_training, outlook_text
    from engine.training.presets import attainable, choice_json, choice_text, choose
    from engine.training.replan import replan
    from engine.training.shardable import require_shardable

    if click.get_current_context().invoked_subcommand is not None:
        if before := said():
            raise click.UsageError(f"Give --{min(before).replace('_', '-')} behind the command that it is for.")
        return
    if run_id is not None and (more := said().keys() - _WITH_A_RUN):
        raise click.UsageError(f"--run has its configuration: without --{min(more).replace('_', '-')}.")
    if nodes > 1 and print_launch is None:
        raise click.UsageError("Several machines need --print-launch.")
    if shard and calibrate:
        raise click.UsageError("--calibrate measures one process with the whole base: without --shard.")
    require_libraries(mirrors)
    project = invocation.project
    if run_id is None:
        basis = dataclasses.replace(read_basis(project), shards=processes * nodes if shard else 1)
        if print_launch is not None:
            basis = dataclasses.replace(basis, free=None)  # what counts is the memory of another machine
        config, given = as_it_begins(project, dataclasses.replace(asked, base=basis.dataset.base), said())
        if shard:
            require_shardable(config, processes * nodes)
        # Who asked for no preset is warned: what is held now may be free before the job has its turn.
        named, must_fit = preset_of(preset), "preset" in said()
        choice = None if named is None else choose(named, basis.facts(config), config, given)
        config = attainable(config, basis.facts(config), given) if choice is None else choice.config
        if calibrate:
            if choice is not None and must_fit:
                choice.require_fit()
            if start_and_follow(invocation, CalibrateOptions(config, basis.dataset.sha256), detach=False) is None:
                return
            basis = read_basis(project)
            if basis.calibration is not None:
                config = dataclasses.replace(config, micro_batch_rows=basis.calibration.config.micro_batch_rows)
        told = "\n".join([*([choice_text(choice)] if choice is not None else []), outlook_text(config, basis)])
        if show:
            estimate = dataclasses.asdict(estimate_training(config, basis).figures)
            chosen = {} if choice is None else choice_json(choice)
            invocation.finish(told, {**chosen, "config": dataclasses.asdict(config), "estimate": estimate})
            return
        if config.quantize_base != "none" and print_launch is None:
            require_four_bits(config.device, on_gpu=basis.facts(config).on_gpu)
        invocation.say(told)
        if choice is not None and must_fit:
            choice.require_fit()
        run = project.runs.add(basis.dataset.sha256, config)
    else:
        run = project.runs.get(run_id)
        if shard:
            require_shardable(run.config, processes * nodes)
        if "epochs" in said():
            run = replan(project, run, asked.epochs)
    if print_launch is not None:
        gpu = run.config.device != "cpu"
        launch = Launch(project.folder, run.id, run.config.base, invocation.home, nodes, processes, gpu, mirrors, shard)
        text = launch_text(print_launch, launch)
        invocation.finish(text, {"run": run.id, "text": text})
        return
    job = start_and_follow(invocation, TrainOptions(run.id, processes, mirrors, shard), detach=detach)
    if job is None:
        return
    run = project.runs.get(run.id)
    best = next((point for point in run.curve if point.best), None)
    kept = rate_of(best.all_rules_rate, best.asked) if best else ""
    figures = f": {best.measure} {best.validation_kl:.3f}, all rules {kept}" if best else ""
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
                "peak_rss_mb": run.peak_rss_mb,
                "disk_mb": run.disk_mb,
                "estimate": dataclasses.asdict(run.estimate) if run.estimate else None,
                "validation_kl": best.validation_kl if best else None,
                "all_rules_rate": best.all_rules_rate if best else None,
                "worst_tokens": _worst_tokens(project.folder / job.folder, run.best_step),
            },
        },
    )


command.add_command(sweep)


def _worst_tokens(folder: Path, step: int) -> list[dict[str, object]]:
    """Where student and teacher differed most at this step, as the job's log tells it."""
    from engine.jobs.follow import read_all

    events = [stamped.event for stamped in read_all(folder)]
    told = [event.tokens for event in events if isinstance(event, WorstTokens) and event.step == step]
    return [dataclasses.asdict(token) for token in told[-1]] if told else []

"""`distill-tui train`: the fifth station. Creates a run on the newest dataset and starts the job that trains it."""

import dataclasses
from typing import get_args

import click

from engine.cli.following import start_and_follow
from engine.cli.invocation import CommandGroup, Invocation, command_options, detach_option
from engine.cli.made import finish
from engine.cli.train_sweep import sweep
from engine.cli.training_options import given_options, preset_of, preset_option, training_options, with_initial_adapter
from engine.records.options import CalibrateOptions, MirrorName, TrainOptions
from engine.records.run import Run, TrainingConfig
from engine.training.clusters import Launch, Launcher, launch_text

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
@click.option(
    "--show", is_flag=True, help="Print the chosen configuration, its reasons and an estimate, without training."
)
@click.option(
    "--calibrate", is_flag=True, help="First measure a few steps of the longest rows, and base the estimate on them."
)
@training_options
@click.option(
    "--run",
    "run_id",
    type=click.IntRange(1),
    help="Continue the run with this number, optionally with other --epochs.",
)
@click.option(
    "--processes", type=click.IntRange(1), default=1, help="Number of processes per machine that share every step."
)
@click.option(
    "--shard", is_flag=True, help="Split the base's layers among the processes instead of copying them to each (FSDP)."
)
@click.option("--nodes", type=click.IntRange(1), default=1, help="Number of machines; needs --print-launch.")
@click.option(
    "--print-launch",
    type=click.Choice(get_args(Launcher)),
    help="Print the command or script that starts the run this way, without starting it.",
)
@click.option(
    "--mirror",
    "mirrors",
    type=click.Choice(get_args(MirrorName)),
    multiple=True,
    help="Also log metrics to this tool, on this machine. Repeatable.",
)
@detach_option
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
    """Train an adapter on the newest dataset: question → answer, without the prompt.

    Options marked “by the preset” are chosen by --preset unless you give them; --show prints the reason for each value.
    The run is trained in a job, which keeps running when you stop following it.
    """
    from engine.gpus import require_device
    from engine.training.in_use import require_free_to_train
    from engine.training.mirrors import require_libraries
    from engine.training.replan import replan
    from engine.training.shardable import require_shardable

    if click.get_current_context().invoked_subcommand is not None:
        if before := given_options():
            raise click.UsageError(f"Put --{min(before).replace('_', '-')} after the subcommand.")
        return
    if run_id is not None and (more := given_options().keys() - _WITH_A_RUN):
        raise click.UsageError(f"A run keeps its configuration: leave out --{min(more).replace('_', '-')}, or --run.")
    if nodes > 1 and print_launch is None:
        raise click.UsageError("More than one node needs --print-launch.")
    if shard and calibrate:
        raise click.UsageError("--calibrate measures one process with the whole base: leave out --shard.")
    require_libraries(mirrors)
    project, shards = invocation.project, processes * nodes if shard else None
    if run_id is None:
        here = processes if print_launch is None else None
        added = _new_run(invocation, asked, preset, shards, here, show=show, calibrate=calibrate)
        if added is None:
            return
        run = added
    else:
        run = project.runs.get(run_id)
        if print_launch is None:
            require_device(run.config.device)
        if shards is not None:
            require_shardable(run.config, shards)
        if "epochs" in given_options():
            run = replan(project, run, asked.epochs)
        else:
            require_free_to_train(project, run.id)
    if print_launch is not None:
        gpu = run.config.device != "cpu"
        launch = Launch(project.folder, run.id, run.config.base, invocation.home, nodes, processes, gpu, mirrors, shard)
        text = launch_text(print_launch, launch)
        invocation.finish(text, {"run": run.id, "text": text})
        return
    job = start_and_follow(invocation, TrainOptions(run.id, processes, mirrors, shard), detach=detach)
    if job is not None:
        finish(invocation, job)


def _new_run(
    invocation: Invocation,
    asked: TrainingConfig,
    preset: str,
    shards: int | None,
    here: int | None,
    *,
    show: bool,
    calibrate: bool,
) -> Run | None:
    """Choose the configuration, show it, and add the run; None if it was only shown, or calibration was stopped.

    `shards`: the processes that share the base's layers, None if none do. `here`: those that will train the run on this
    machine, whose free memory then counts; None if it is trained elsewhere.
    """
    from engine.gpus import require_device
    from engine.model.four_bits import require_four_bits
    from engine.training.facts import read_basis
    from engine.training.in_use import never_started
    from engine.training.outlook import estimate_training, outlook_text
    from engine.training.presets import choice_json, choice_text, choose, supported_objective
    from engine.training.shardable import require_shardable

    project = invocation.project
    basis = dataclasses.replace(read_basis(project), shards=shards or 1)
    if here is None:
        basis = dataclasses.replace(basis, free=None)
    else:
        require_device(asked.device)
        basis = dataclasses.replace(basis, local_processes=here)
    config, given = with_initial_adapter(project, dataclasses.replace(asked, base=basis.dataset.base), given_options())
    if shards is not None:
        require_shardable(config, shards)
    # Without an explicit preset this only warns: memory in use now may be free by the time the job has its turn.
    named, must_fit = preset_of(preset), "preset" in given_options()
    choice = None if named is None else choose(named, basis.facts(config), config, given)
    config = supported_objective(config, basis.facts(config), given) if choice is None else choice.config
    if calibrate:
        if choice is not None and must_fit:
            choice.require_fit()
        if start_and_follow(invocation, CalibrateOptions(config, basis.dataset.sha256), detach=False) is None:
            return None
        basis = read_basis(project)
        if basis.calibration is not None:
            config = dataclasses.replace(config, micro_batch_rows=basis.calibration.config.micro_batch_rows)
    text = "\n".join([*([choice_text(choice)] if choice is not None else []), outlook_text(config, basis)])
    if show:
        estimate = dataclasses.asdict(estimate_training(config, basis).figures)
        chosen = {} if choice is None else choice_json(choice)
        invocation.finish(text, {**chosen, "config": dataclasses.asdict(config), "estimate": estimate})
        return None
    if config.quantize_base != "none" and here:
        require_four_bits(config.device, on_gpu=basis.facts(config).on_gpu)
    invocation.say(text)
    if choice is not None and must_fit:
        choice.require_fit()
    # Printing the launch of one configuration again must not add another run.
    printed = None if here else never_started(project, basis.dataset.sha256, config)
    return printed or project.runs.add(basis.dataset.sha256, config)


command.add_command(sweep)

"""`distill-tui train sweep`: trains a few configurations briefly, as one job, and says which to train in full."""

import dataclasses
import itertools
import shlex

import click

from engine.cli.following import start_and_follow
from engine.cli.invocation import Invocation, Number, command_options, detach_option
from engine.cli.made import finish
from engine.cli.training_options import (
    as_arguments,
    changed,
    given_options,
    parse_values,
    preset_of,
    preset_option,
    training_options,
    with_initial_adapter,
)
from engine.records.options import SweepOptions, Trial
from engine.records.run import TrainingConfig


@click.command("sweep")
@preset_option(multiple=True)
@click.option(
    "--try",
    "tries",
    multiple=True,
    metavar="OPTION=A,B",
    help="Values of an option to try: learning-rate=1e-4,5e-4. Repeatable.",
)
@click.option("--steps", type=click.IntRange(1), help="Maximum number of steps per run.")
@click.option("--minutes", type=Number(0.0, min_open=True), help="Total training time for all runs, in minutes.")
@training_options
@detach_option
@command_options
def sweep(
    invocation: Invocation,
    presets: tuple[str, ...],
    tries: tuple[str, ...],
    steps: int | None,
    minutes: float | None,
    asked: TrainingConfig,
    detach: bool,
) -> None:
    """Train every combination of presets and --try values briefly, and compare them on validation.

    With --steps, each run's learning rate falls to 0 at its last step. With --minutes, each run ends when its share of
    the time is used up.
    """
    from engine.gpus import require_device
    from engine.training.facts import read_basis
    from engine.training.presets import choose, supported_objective
    from engine.training.sweep import within

    if steps is None and minutes is None:
        raise click.UsageError("A sweep needs a budget: --steps or --minutes.")
    values = [[(name, value) for value in found] for name, found in map(parse_values, tries)]
    combinations = list(itertools.product(presets, itertools.product(*values)))
    if len(combinations) < 2:
        raise click.UsageError("There is nothing to compare: give two presets, or --try with two values.")
    project = invocation.project
    basis = read_basis(project)
    dataset = basis.dataset
    base, given = with_initial_adapter(project, dataclasses.replace(asked, base=dataset.base), given_options())
    planned: list[tuple[TrainingConfig, str]] = []
    for preset, chosen in combinations:
        tried = dict(chosen)
        config, named_fields = changed(base, tried), {*given, *tried}
        if (named := preset_of(preset)) is not None:
            config = choose(named, basis.facts(config), config, named_fields).require_fit().config
        config = supported_objective(config, basis.facts(config), named_fields)
        require_device(config.device)
        words = ["--preset", preset, *as_arguments({**given_options(), **tried})]
        planned.append((config if steps is None else within(config, dataset.train, steps), shlex.join(words)))
    trials = tuple(Trial(project.runs.add(dataset.sha256, config).id, words) for config, words in planned)
    share = None if minutes is None else minutes / len(trials)
    job = start_and_follow(invocation, SweepOptions(trials, share), detach=detach)
    if job is not None:
        finish(invocation, job)

"""The training options, one per field of the configuration, for every command that creates runs."""

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast, get_args

import click
from click.core import ParameterSource

from engine.cli.invocation import Number
from engine.project import Project
from engine.records.run import FULL_RATE, AdapterKind, Objective, QuantizedBase, TrainingConfig, alpha_of
from engine.training.presets import CHOSEN, USUAL, Preset

_DEFAULT = TrainingConfig(base="starter")
_COUNT = click.IntRange(1)
# Field, type, help.
_OPTIONS: tuple[tuple[str, "click.ParamType[Any]", str], ...] = (
    (
        "objective",
        click.Choice(get_args(Objective)),
        "What the first stage learns from: the teacher's distributions, its answers (cross_entropy), or both (mix).",
    ),
    ("cross_entropy_weight", Number(0.0, 1.0), "Share of cross-entropy in the mix objective; the rest is forward KL."),
    ("epochs", Number(0.0), "Epochs of the first stage; 0 skips it, which needs --on-policy-steps."),
    (
        "learning_rate",
        Number(0.0, 1.0),
        "Peak learning rate of the first stage; ten times lower by default with --adapter full.",
    ),
    ("batch_rows", _COUNT, "Rows per optimizer step."),
    (
        "adapter",
        click.Choice(get_args(AdapterKind)),
        "Adapter: plain, rank-stabilised, with magnitudes (dora, slower), or whole layers of a small model (full).",
    ),
    ("lora_rank", click.IntRange(1, 1024), "Rank of the adapter's matrices."),
    (
        "quantize_base",
        click.Choice(get_args(QuantizedBase)),
        "Hold the base's linear layers in four bits (QLoRA); needs a GPU.",
    ),
    ("initial_run_id", _COUNT, "Number of the run whose adapter the training starts from."),
    ("top_k", click.IntRange(1, 1024), "Number of the teacher's likeliest tokens kept per position."),
    ("on_policy_steps", click.IntRange(0), "Steps of the second stage, which trains on the student's own answers."),
    ("on_policy_batch_rows", _COUNT, "Questions per step of the second stage, with one answer each."),
    ("on_policy_learning_rate", Number(0.0, 1.0), "Peak learning rate of the second stage."),
    ("on_policy_answer_tokens", _COUNT, "Longest answer allowed in the second stage, in tokens."),
    ("on_policy_top_k", _COUNT, "Number of the student's likeliest tokens compared per position in the second stage."),
    (
        "on_policy_skipped_tokens",
        click.IntRange(0),
        "Tokens at the start of an answer that carry no loss in the second stage.",
    ),
    (
        "on_policy_ratio_clip",
        Number(0.0, min_open=True),
        "Maximum log-ratio of student to teacher per token in the second stage, in nats.",
    ),
    ("general_fraction", Number(0.0, 0.5), "Share of general questions among the rows of a step, against forgetting."),
    (
        "prompt_back_weight",
        Number(0.0),
        "Weight of the loss that keeps the student like the base when the prompt is put back.",
    ),
    ("evaluations", click.IntRange(1, 100), "Number of validation passes per stage."),
    (
        "patience",
        click.IntRange(0, 100),
        "Validation passes in a row without improvement that end the last stage; 0 never ends it early.",
    ),
    ("dtype", click.Choice(("auto", "float32", "bfloat16")), "Number format of the base's weights."),
    ("device", click.STRING, "Device to train on: auto, cpu, cuda, cuda:1, …"),
    ("seed", click.INT, "Random seed for the adapter's initial weights, the order of rows, and all sampling."),
)
_FLAGS = {"initial_run_id": "--initial-run"}
_PLAIN = "none"  # no preset: options that are not given keep their plain defaults


def training_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options; it receives `asked`, the resulting configuration for the base `starter`."""

    @functools.wraps(function)
    def wrapper(*arguments: object, **given: object) -> None:
        fields = {name: given.pop(name) for name, _kind, _help in _OPTIONS}
        if fields["adapter"] == "full" and "learning_rate" not in given_options():
            fields["learning_rate"] = _DEFAULT.learning_rate * FULL_RATE
        function(*arguments, asked=_config(fields), **given)

    for name, kind, help in reversed(_OPTIONS):
        add = click.option(
            flag_of(name),
            name,
            type=kind,
            default=getattr(_DEFAULT, name),
            show_default="by the preset" if name in CHOSEN else None,
            help=help,
        )
        wrapper = add(wrapper)
    return wrapper


def preset_option(*, multiple: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the option for the preset that chooses what is not given; `preset_of` reads its value."""
    return click.option(
        "--preset",
        "presets" if multiple else "preset",
        type=click.Choice((*get_args(Preset), _PLAIN)),
        multiple=multiple,
        default=(USUAL,) if multiple else USUAL,
        help=f"Preset that chooses what is not given, by data, model and memory; {_PLAIN} keeps plain defaults."
        + " Repeatable." * multiple,
    )


def preset_of(word: str) -> Preset | None:
    """Return the preset of that name; None for plain defaults."""
    return None if word == _PLAIN else cast(Preset, word)


def with_initial_adapter(
    project: Project, config: TrainingConfig, given: Collection[str]
) -> tuple[TrainingConfig, frozenset[str]]:
    """Return `config` with the kind and rank of the adapter that it starts from, if any and unless others were given;
    and the names of what was given, these included. Raises NotFoundError if there is no such run.
    """
    if config.initial_run_id is None or {"adapter", "lora_rank"} & set(given):
        return config, frozenset(given)
    earlier = project.runs.get(config.initial_run_id).config
    fields = {name: getattr(config, name) for name, _kind, _help in _OPTIONS}
    fields |= {"adapter": earlier.adapter, "lora_rank": earlier.lora_rank}
    return dataclasses.replace(_config(fields), base=config.base), frozenset((*given, "lora_rank"))


def changed(config: TrainingConfig, values: Mapping[str, object]) -> TrainingConfig:
    """Return `config` with these values. Raises click.UsageError if nothing would be trained."""
    fields = {name: getattr(config, name) for name, _kind, _help in _OPTIONS}
    return dataclasses.replace(_config({**fields, **values}), base=config.base)


def parse_values(text: str) -> tuple[str, tuple[object, ...]]:
    """Return the field and the values in `learning-rate=1e-4,5e-4`. Raises click.UsageError if they are invalid."""
    flag, _, values = text.partition("=")
    name, kind = next(((name, kind) for name, kind, _help in _OPTIONS if flag_of(name) == f"--{flag}"), ("", None))
    if kind is None:
        raise click.UsageError(f"{flag!r} is not an option of train that can be tried.")
    context = click.get_current_context()
    try:
        return name, tuple(kind.convert(value.strip(), None, context) for value in values.split(","))
    except click.BadParameter as error:
        error.param_hint = f"--try {flag}"
        raise


def given_options() -> dict[str, object]:
    """Return the options that were given, rather than left to their defaults, with their values."""
    context = click.get_current_context()
    given = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    return {name: value for name, value in context.params.items() if context.get_parameter_source(name) in given}


def as_arguments(values: Mapping[str, object]) -> list[str]:
    """Return the command-line arguments for those of `values` that are training options."""
    return [word for name, _kind, _help in _OPTIONS if name in values for word in (flag_of(name), str(values[name]))]


def flag_of(name: str) -> str:
    """Return the option of a field."""
    return _FLAGS.get(name, f"--{name.replace('_', '-')}")


def _config(fields: Mapping[str, object]) -> TrainingConfig:
    """Return the configuration with these fields. Raises click.UsageError if nothing would be trained."""
    config = dataclasses.replace(_DEFAULT, **cast("dict[str, Any]", fields))
    if not config.epochs and not config.on_policy_steps:
        raise click.UsageError("There is nothing to train: set --epochs or --on-policy-steps.")
    if config.adapter == "full":
        if config.quantize_base != "none" or config.dtype == "bfloat16":
            raise click.UsageError("--adapter full trains in float32: leave out --quantize-base and --dtype.")
        config = dataclasses.replace(config, dtype="float32")
    return dataclasses.replace(
        config,
        micro_batch_rows=min(config.batch_rows, config.micro_batch_rows),
        lora_alpha=alpha_of(config.adapter, config.lora_rank),
    )

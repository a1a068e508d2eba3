"""The options of a training, one a field of its configuration: for every command that makes runs."""

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
# Field, what it may be, help.
_OPTIONS: tuple[tuple[str, "click.ParamType[Any]", str], ...] = (
    ("objective", click.Choice(get_args(Objective)), "What the first stage learns from."),
    ("cross_entropy_weight", Number(0.0, 1.0), "Its share of the mix; the rest is forward KL."),
    ("epochs", Number(0.0), "Of the first stage; 0 with --on-policy-steps leaves it out."),
    ("learning_rate", Number(0.0, 1.0), "The highest of the first stage; of whole layers a tenth."),
    ("batch_rows", _COUNT, "Rows per optimizer step."),
    (
        "adapter",
        click.Choice(get_args(AdapterKind)),
        "Plain, rank-stabilised, with magnitudes (slower); full: whole layers of a small model.",
    ),
    ("lora_rank", click.IntRange(1, 1024), "Of the adapter's matrices."),
    ("quantize_base", click.Choice(get_args(QuantizedBase)), "Linear layers in four bits (QLoRA), on a GPU."),
    ("initial_run_id", _COUNT, "Start from this run's adapter."),
    ("top_k", click.IntRange(1, 1024), "Teacher tokens kept per position."),
    ("on_policy_steps", click.IntRange(0), "Steps of a second stage, on the student's own answers."),
    ("on_policy_batch_rows", _COUNT, "Questions per step of it, one answer each."),
    ("on_policy_learning_rate", Number(0.0, 1.0), "The highest of the second stage."),
    ("on_policy_answer_tokens", _COUNT, "An answer's most tokens in it."),
    ("on_policy_top_k", _COUNT, "Student tokens compared per position in it."),
    ("on_policy_skipped_tokens", click.IntRange(0), "First tokens of an answer without loss."),
    ("on_policy_ratio_clip", Number(0.0, min_open=True), "Nats that one token's log-ratio counts for at most."),
    ("general_fraction", Number(0.0, 0.5), "Share of general questions in a step, against forgetting."),
    ("prompt_back_weight", Number(0.0), "Weight of staying like the base when the prompt is put back."),
    ("evaluations", click.IntRange(1, 100), "Validation passes per stage."),
    ("patience", click.IntRange(0, 100), "Passes without a better step that end the last stage; 0: none do."),
    ("dtype", click.Choice(("auto", "float32", "bfloat16")), "Of the base's weights."),
    ("device", click.STRING, "auto, cpu, cuda, cuda:1 …"),
    ("seed", click.INT, "Decides the adapter's first weights, the order of rows, and every draw."),
)
_FLAGS = {"initial_run_id": "--initial-run"}
_PLAIN = "none"  # no preset: what is not given has its plain value


def training_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options; it gets `asked`, the configuration that they make over the base `starter`."""

    @functools.wraps(function)
    def wrapper(*arguments: object, **given: object) -> None:
        fields = {name: given.pop(name) for name, _kind, _help in _OPTIONS}
        if fields["adapter"] == "full" and "learning_rate" not in said():
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
    """The option that says which preset chooses what is not given; `preset_of` reads its words."""
    return click.option(
        "--preset",
        "presets" if multiple else "preset",
        type=click.Choice((*get_args(Preset), _PLAIN)),
        multiple=multiple,
        default=(USUAL,) if multiple else USUAL,
        help=f"Chooses what is not given, by data, model and memory; {_PLAIN}: plain values."
        + " Repeatable." * multiple,
    )


def preset_of(word: str) -> Preset | None:
    """The preset of that word; None for that of the plain values."""
    return None if word == _PLAIN else cast(Preset, word)


def as_it_begins(
    project: Project, config: TrainingConfig, given: Collection[str]
) -> tuple[TrainingConfig, frozenset[str]]:
    """`config` with the kind and rank of the adapter that it begins from, where it begins from one and nothing else was
    said; and the names of what was said, these included. Raises NotFoundError where there is no such run.
    """
    if config.initial_run_id is None or {"adapter", "lora_rank"} & set(given):
        return config, frozenset(given)
    earlier = project.runs.get(config.initial_run_id).config
    fields = {name: getattr(config, name) for name, _kind, _help in _OPTIONS}
    fields |= {"adapter": earlier.adapter, "lora_rank": earlier.lora_rank}
    return dataclasses.replace(_config(fields), base=config.base), frozenset((*given, "lora_rank"))


def changed(config: TrainingConfig, values: Mapping[str, object]) -> TrainingConfig:
    """`config` as if its options had these values. Raises click.UsageError where there would be no step."""
    fields = {name: getattr(config, name) for name, _kind, _help in _OPTIONS}
    return dataclasses.replace(_config({**fields, **values}), base=config.base)


def parse_values(text: str) -> tuple[str, tuple[object, ...]]:
    """The field and the values in `learning-rate=1e-4,5e-4`. Raises click.UsageError where they are none."""
    flag, _, values = text.partition("=")
    name, kind = next(((name, kind) for name, kind, _help in _OPTIONS if flag_of(name) == f"--{flag}"), ("", None))
    if kind is None:
        raise click.UsageError(f"{flag!r} is no option of train that can be tried.")
    context = click.get_current_context()
    try:
        return name, tuple(kind.convert(value.strip(), None, context) for value in values.split(","))
    except click.BadParameter as error:
        error.param_hint = f"--try {flag}"
        raise


def said() -> dict[str, object]:
    """The options that were given, not left to their defaults, with their values."""
    context = click.get_current_context()
    given = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    return {name: value for name, value in context.params.items() if context.get_parameter_source(name) in given}


def option_words(values: Mapping[str, object]) -> list[str]:
    """The words of a command line that give those of `values` which are options of a training."""
    return [word for name, _kind, _help in _OPTIONS if name in values for word in (flag_of(name), str(values[name]))]


def flag_of(name: str) -> str:
    """The option that gives a field."""
    return _FLAGS.get(name, f"--{name.replace('_', '-')}")


def _config(fields: Mapping[str, object]) -> TrainingConfig:
    """Raises click.UsageError where there would be no step."""
    config = dataclasses.replace(_DEFAULT, **cast("dict[str, Any]", fields))
    if not config.epochs and not config.on_policy_steps:
        raise click.UsageError("Without epochs and without --on-policy-steps there is nothing to train.")
    if config.adapter == "full":
        if config.quantize_base != "none" or config.dtype == "bfloat16":
            raise click.UsageError("--adapter full trains in float32: without --quantize-base and --dtype.")
        config = dataclasses.replace(config, dtype="float32")
    return dataclasses.replace(
        config,
        micro_batch_rows=min(config.batch_rows, config.micro_batch_rows),
        lora_alpha=alpha_of(config.adapter, config.lora_rank),
    )

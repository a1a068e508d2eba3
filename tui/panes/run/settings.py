"""The settings of a new training: presets with their reasons, typed values, the estimate. Pure; no widget."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args

from engine.records.run import Objective, Run, TrainingConfig, alpha_of
from engine.training.facts import Basis
from engine.training.presets import GIVEN, Choice, Preset, choose, supported_objective
from engine.wording import counted
from tui.forms.checks import number, or_empty, whole
from tui.forms.screen import Field, FieldNote

OBJECTIVES = {"mix": "KL + cross-entropy", "forward_kl": "forward KL", "cross_entropy": "cross-entropy"}
DTYPES = ("auto", "float32", "bfloat16")
_PRESETS: tuple[Preset, ...] = get_args(Preset)
_DEFAULT = TrainingConfig(base="")
_WHY_PRESET = "chosen by data, base and memory; what you type overrides it"
# Fields that, while empty, take the value of the preset or of the last run.
_TYPED = {
    "lora_rank": ("rank", whole(1, 1024)),
    "learning_rate": ("learning rate", number(1e-7, 1.0)),
    "epochs": ("epochs", number(0.01, 1000.0)),
    "batch_rows": ("batch size", whole(1, 4096)),
    "evaluations": ("evaluations", whole(1, 100)),
    "on_policy_steps": ("on-policy steps", whole(0, 100_000)),
    "on_policy_batch_rows": ("  questions per step", whole(1, 4096)),
    "on_policy_learning_rate": ("  learning rate", number(1e-7, 1.0)),
    "general_fraction": ("general share", number(0.0, 0.5)),
    "prompt_back_weight": ("prompt-back weight", number(0.0, 100.0)),
}
_SECOND_STAGE = ("on_policy_batch_rows", "on_policy_learning_rate")


def fields(basis: Basis) -> tuple[Field, ...]:
    """The fields of the form."""
    first = first_values(basis)
    last = (_as_last(basis),) if basis.runs else ()
    return (
        Field("preset", "preset", (*last, "balanced")[0], choices=(*_PRESETS, *last)),
        Field("objective", "objective", OBJECTIVES[first.objective], choices=_objectives(basis)),
        *(Field(name, label, check=or_empty(check)) for name, (label, check) in _TYPED.items()),
        Field("device", "device", first.device, hint="auto, cpu, cuda, cuda:1 …", check=device),
        Field("dtype", "number format", first.dtype, choices=DTYPES),
    )


def configuration_text(run: Run) -> str:
    """A run's configuration in one line; device and dtype are foreign text."""
    config = run.config
    parts = [
        OBJECTIVES[config.objective],
        config.adapter_text,
        f"rate {config.learning_rate:g}",
        f"batch {config.batch_rows}",
        counted(config.last_epochs, "epoch", "g"),
        f"{run.device} {run.dtype}".strip(),
    ]
    return " · ".join(part for part in parts if part)


def first_values(basis: Basis) -> TrainingConfig:
    """The configuration without a preset: that of the newest run, on the newest dataset."""
    config = basis.runs[-1].config if basis.runs else _DEFAULT
    config = supported_objective(config, basis.facts(config))
    return replace(config, base=basis.dataset.base, epochs=config.last_epochs, replanned=())


def choice_of(values: Mapping[str, str], basis: Basis) -> Choice | None:
    """What the preset chooses for the fields left empty; None without a preset."""
    preset = values["preset"]
    if preset not in _PRESETS:
        return None
    asked = _asked(values, basis)
    given = {name for name in _TYPED if values[name]}
    if basis.scored_train and asked.objective != _DEFAULT.objective:
        given.add("objective")
    return choose(preset, basis.facts(asked), asked, given)


def config_of(values: Mapping[str, str], basis: Basis) -> TrainingConfig:
    """The configuration that these values describe."""
    choice = choice_of(values, basis)
    return choice.config if choice is not None else _asked(values, basis)


def guide(values: Mapping[str, str], basis: Basis) -> dict[str, FieldNote]:
    """The value that each empty field takes, and why."""
    valid = {**values, **{name: "" for name, (_, check) in _TYPED.items() if check(values[name])}}
    choice = choice_of(valid, basis)
    config = choice.config if choice is not None else _asked(valid, basis)
    reasons = {reason.name: reason for reason in choice.reasons} if choice is not None else {}
    notes = {"preset": FieldNote(why=_WHY_PRESET if choice is not None else f"the values of {_as_last(basis)[3:]}")}
    for name in ("objective", *_TYPED):
        reason = reasons.get(name)
        value = getattr(config, name)
        notes[name] = FieldNote(
            instead=f"{value:g}" if isinstance(value, float) else str(value),
            why=reason.why if reason is not None else GIVEN if values[name] and name in _TYPED else "",
            basis=reason.basis if reason is not None else "",
            shown=name not in _SECOND_STAGE or config.on_policy_steps > 0,
        )
    return notes


def trouble(values: Mapping[str, str], basis: Basis) -> str:
    """Why these values cannot be trained with, or an empty string."""
    choice = choice_of(values, basis)
    return "" if choice is None or choice.fits else "This does not fit into the free memory: see the estimate."


def device(value: str) -> str:
    """Check for a device name as torch spells it."""
    return "" if re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value) else "auto, cpu, cuda, cuda:1 …"


def _objectives(basis: Basis) -> tuple[str, ...]:
    """The objectives that the dataset supports."""
    return tuple(OBJECTIVES.values()) if basis.scored_train else (OBJECTIVES["cross_entropy"],)


def _as_last(basis: Basis) -> str:
    return f"as run {basis.runs[-1].id}" if basis.runs else ""


def _asked(values: Mapping[str, str], basis: Basis) -> TrainingConfig:
    first = first_values(basis)
    typed = {name: float(values[name]) for name in _TYPED if values[name]}
    given: dict[str, Any] = {
        name: value if isinstance(getattr(first, name), float) else int(value) for name, value in typed.items()
    }
    config = replace(
        first,
        objective=cast(Objective, next(name for name, words in OBJECTIVES.items() if words == values["objective"])),
        device=values["device"] or "auto",
        dtype="float32" if values["dtype"] == "float32" else "bfloat16" if values["dtype"] == "bfloat16" else "auto",
        **given,
    )
    return replace(
        config,
        lora_alpha=alpha_of(config.adapter, config.lora_rank),
        micro_batch_rows=min(config.batch_rows, _DEFAULT.micro_batch_rows),
    )

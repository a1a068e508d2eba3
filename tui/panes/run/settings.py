"""What a person says of a new training, and what it will take, in words. Pure; knows no widget."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from engine.records.run import Objective, TrainingConfig
from engine.training.facts import Basis
from engine.training.outlook import outlook_text

OBJECTIVES = {"mix": "KL + cross-entropy", "forward_kl": "forward KL", "cross_entropy": "cross-entropy"}
DTYPES = ("auto", "float32", "bfloat16")
_DEFAULT = TrainingConfig(base="")


def first_values(basis: Basis) -> TrainingConfig:
    """What the form begins with: the newest run's configuration, on the newest dataset's base."""
    config = basis.runs[-1].config if basis.runs else _DEFAULT
    return replace(config, base=basis.dataset.base, epochs=config.last_epochs, replanned=())


def config_of(values: Mapping[str, str], config: TrainingConfig) -> TrainingConfig:
    """The configuration that these values name; what is not asked for stays as in `config`.

    Raises `ValueError` where a value is no number.
    """
    rows, rank = int(values["batch_rows"]), int(values["lora_rank"])
    return replace(
        config,
        objective=cast(Objective, next(name for name, words in OBJECTIVES.items() if words == values["objective"])),
        lora_rank=rank,
        lora_alpha=2 * rank,
        learning_rate=float(values["learning_rate"]),
        epochs=float(values["epochs"]),
        batch_rows=rows,
        micro_batch_rows=min(rows, _DEFAULT.micro_batch_rows),
        evaluations=int(values["evaluations"]),
        device=values["device"] or "auto",
        dtype="float32" if values["dtype"] == "float32" else "bfloat16" if values["dtype"] == "bfloat16" else "auto",
    )


def device(value: str) -> str:
    """A check: a device as torch calls it."""
    return "" if re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value) else "auto, cpu, cuda, cuda:1 …"


def outlook(values: Mapping[str, str], basis: Basis, config: TrainingConfig) -> str:
    """What a training with these values will take, a line a quantity; empty while a value is none."""
    try:
        return outlook_text(config_of(values, config), basis)
    except (ValueError, ZeroDivisionError, OverflowError):
        return ""

"""What a person says of a new training, and what it will take, in words. Pure; knows no widget."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from engine.records.run import Objective, TrainingConfig
from engine.training.outlook import Basis, TrainingEstimate, estimate_training
from tui.widgets.lines import duration

OBJECTIVES = {"mix": "KL + cross-entropy", "forward_kl": "forward KL", "cross_entropy": "cross-entropy"}
DTYPES = ("auto", "float32", "bfloat16")
_DEFAULT = TrainingConfig(base="")


def first_values(basis: Basis) -> TrainingConfig:
    """What the form begins with: the newest run's configuration, on the newest dataset's base."""
    config = basis.runs[-1].config if basis.runs else _DEFAULT
    return replace(config, base=basis.dataset.base)


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
        asked = config_of(values, config)
        estimate = estimate_training(asked, basis)
    except (ValueError, ZeroDivisionError, OverflowError):
        return ""
    rows = basis.dataset.train
    lines = [
        f"{estimate.steps:,} steps: {rows:,} rows, {asked.batch_rows} a step, {asked.epochs:g} epochs",
        _time(estimate, asked),
        _memory(estimate, basis),
        "disk    not known before the base is on this machine"
        if estimate.disk_mb is None
        else f"disk    ≈ {_size(estimate.disk_mb)}: adapter, three checkpoints, the teacher's distributions",
    ]
    return "\n".join(lines)


def _time(estimate: TrainingEstimate, config: TrainingConfig) -> str:
    like = estimate.like
    if estimate.seconds is None or like is None:
        return f"time    not known: no run of this base on {config.device} ({config.dtype}) was measured yet"
    where = " ".join(part for part in (like.device, like.dtype) if part)
    return f"time    ≈ {duration(estimate.seconds)}: as fast a row as run {like.id} on {where}"


def _memory(estimate: TrainingEstimate, basis: Basis) -> str:
    if estimate.memory_mb is not None and estimate.like is not None:
        return f"memory  ≈ {_size(estimate.memory_mb)}: what run {estimate.like.id} took at most"
    if basis.shapes is not None:
        return f"memory  more than the base's own {_size(basis.shapes.size_bytes / 1e6)}; the first run measures it"
    return "memory  not known before a first run"


def _size(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"

"""Runs: one training of one adapter. Knows nothing of torch."""

from dataclasses import dataclass
from typing import Literal

Objective = Literal["mix", "forward_kl", "cross_entropy"]
RunState = Literal["waiting", "running", "paused", "stopped", "done", "failed"]


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Everything that decides a run's result; recipe.md of the method gives the ranges."""

    base: str  # model name or folder
    objective: Objective = "mix"
    cross_entropy_weight: float = 0.5  # of the mix; the rest is forward KL
    top_k: int = 64  # teacher log-probabilities kept per token, beside one tail bucket
    lora_rank: int = 16
    lora_alpha: int = 32
    learning_rate: float = 5e-4
    warmup_fraction: float = 0.05
    epochs: float = 4.0
    batch_rows: int = 8  # rows an optimizer step
    micro_batch_rows: int = 8  # rows a forward pass; halved on out-of-memory, accumulation keeps batch_rows
    max_gradient_norm: float = 1.0
    weight_decay: float = 0.0
    seed: int = 0
    evaluations: int = 6  # validation passes a run, spread evenly, the last step always included
    checkpoint_every_s: float = 60.0
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The curve's summary at one evaluation."""

    step: int
    epoch: float
    train_loss: float
    validation_kl: float
    rule_rates: tuple[tuple[int, float], ...]  # (rule id, pass rate) on validation answers
    all_rules_rate: float
    learning_rate: float
    tokens_per_second: float
    best: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One training. `folder` is relative to the project."""

    id: int
    dataset_sha256: str
    config: TrainingConfig
    state: RunState
    folder: str
    step: int = 0
    steps: int = 0
    best_step: int = 0
    train_s: float = 0.0
    peak_rss_mb: float = 0.0
    device: str = ""
    dtype: str = ""
    reason: str = ""  # why it stopped or failed
    created_at: str = ""
    curve: tuple[CurvePoint, ...] = ()

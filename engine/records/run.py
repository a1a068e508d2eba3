"""Runs: one training of one adapter. Knows nothing of torch."""

from dataclasses import dataclass
from typing import Literal

Objective = Literal["mix", "forward_kl", "cross_entropy"]
AdapterKind = Literal["lora", "rslora", "dora", "full"]  # full: whole layers, not matrices beside them
QuantizedBase = Literal["none", "nf4"]
Measure = Literal["validation KL", "cross-entropy"]  # the latter where no validation answer has a local teacher
RunState = Literal["waiting", "running", "paused", "stopped", "done", "failed"]

FULL_RATE = 0.1  # of an adapter's learning rate, for whole layers


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Everything that decides a run's result. Defaults of fields that came later leave stored runs as they were."""

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
    adapter: AdapterKind = "lora"
    quantize_base: QuantizedBase = "none"  # nf4: its linear layers in four bits (QLoRA), on a GPU
    initial_run_id: int | None = None  # whose adapter this run starts from
    # The second stage: the student's own answers, scored by the prompted base (reverse KL).
    on_policy_steps: int = 0
    on_policy_batch_rows: int = 64  # questions a step, one answer each
    on_policy_learning_rate: float = 5e-5
    on_policy_answer_tokens: int = 512  # at most; never much more than the longest training answer has
    on_policy_top_k: int = 256  # the student's likeliest tokens, beside one tail bucket; capped by the vocabulary
    on_policy_skipped_tokens: int = 1  # first tokens of an answer without loss
    on_policy_ratio_clip: float = 5.0  # nats: no token's log-ratio of student to teacher counts for more
    # Against forgetting: rows with general questions among a step's rows, and the unprompted base as their teacher.
    general_fraction: float = 0.0
    # Against the prompt coming back: weight of the student's divergence from the prompted base, both behind the prompt.
    prompt_back_weight: float = 0.0
    # Evaluations of the last stage in a row without a better step, after which the run ends; 0: it goes to its end.
    patience: int = 0
    # What a person changed while it was stopped, in order: from this step on, the first stage was to have these epochs.
    replanned: tuple[tuple[int, float], ...] = ()

    @property
    def held_base(self) -> str:
        """The base as it is held in memory, in words: an adapter is over exactly this."""
        return self.base if self.quantize_base == "none" else f"{self.base} in {self.quantize_base}"

    @property
    def adapter_words(self) -> str:
        """What is trained, in short."""
        return "whole layers" if self.adapter == "full" else f"rank {self.lora_rank}"

    @property
    def last_epochs(self) -> float:
        """The epochs of the first stage as they were planned last."""
        return self.replanned[-1][1] if self.replanned else self.epochs


def alpha_of(adapter: AdapterKind, rank: int) -> int:
    """The alpha that goes with a rank: twice it, so that the scale, alpha / rank, stays 2 whatever the rank.

    A rank-stabilised adapter's scale, alpha / √rank, is meant to change with the rank: its alpha is what makes that
    scale 2 at rank 16.
    """
    return 8 if adapter == "rslora" else 2 * rank


@dataclass(frozen=True, slots=True)
class WorstToken:
    """A validation token at which student and teacher differ much. Text is as the tokenizer gives it: raw.

    Where no validation answer has a local teacher, `kl` is the token's cross-entropy and `teacher` what it wrote.
    """

    kl: float  # nats
    example_id: int
    before: str  # the end of the answer up to the token
    token: str
    teacher: str  # its likeliest token there, and
    student: str  # the student's; empty for the end of the answer
    prompt_index: int = 0  # which of the dataset's prompts the example is of


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The curve's summary at one evaluation."""

    step: int
    epoch: float
    train_loss: float
    validation_kl: float
    rule_rates: tuple[tuple[int, float], ...]  # (rule id, pass rate) on validation answers
    all_rules_rate: float | None  # None: no answers were sampled here
    learning_rate: float
    tokens_per_second: float
    best: bool
    asked: int = 16  # questions whose sampled answers the rates are of; 0 for none
    asked_own: int | None = None  # of them those of the project itself, which `rule_rates` are of; None: all
    measure: Measure = "validation KL"  # what `validation_kl` is

    @property
    def rules_asked(self) -> int:
        """How many answers each rule's rate is of."""
        return self.asked if self.asked_own is None else self.asked_own


@dataclass(frozen=True, slots=True)
class Estimated:
    """What a training was thought to take before its first step. None: not known.

    Beside it the one thing that it took that the run itself does not tell: the process's own memory is the run's.
    """

    seconds: float | None
    memory_mb: float | None  # at most; MB are 1e6 bytes
    disk_mb: float | None
    gpu_peak_mb: float | None = None  # the most that was held on a GPU in the end


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a few steps of the longest rows took on this machine. None: the configuration has no such stage."""

    config: TrainingConfig  # with the rows of a pass that fit
    dataset_sha256: str
    device: str
    dtype: str
    first_s: float | None  # seconds a trained token of the first stage
    second_s: float | None
    memory_mb: float  # at most; MB are 1e6 bytes
    after_run: int = 0  # the newest run then: later ones know better


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
    estimate: Estimated | None = None
    disk_mb: float = 0.0  # its folder and its teacher's distributions, measured at its end

    @property
    def has_adapter(self) -> bool:
        """Whether its training came to one that can be measured."""
        return self.state == "done" or self.best_step > 0


def measure_of(*runs: Run | None) -> str:
    """What the validation of these runs measures, as people are told."""
    found = dict.fromkeys(point.measure for run in runs if run is not None for point in run.curve[-1:])
    return " / ".join(found) or "validation KL"

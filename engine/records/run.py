"""Runs: one training of one adapter. Knows nothing of torch."""

from dataclasses import dataclass
from typing import Literal

Objective = Literal["mix", "forward_kl", "cross_entropy"]
AdapterKind = Literal["lora", "rslora", "dora", "full"]  # full: trains whole layers instead of added matrices
QuantizedBase = Literal["none", "nf4"]
Measure = Literal["validation KL", "cross-entropy"]  # the latter if no validation answer has a local teacher
RunState = Literal["waiting", "running", "paused", "stopped", "done", "failed"]
# The reasons of a stopped run that could not write its own end.
KILLED, FORCED = "Its process was killed.", "Stopped by force."

FULL_RATE = 0.1  # full fine-tuning: factor on an adapter's learning rate


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Everything that determines a run's result. Fields added later have defaults that leave stored runs unchanged."""

    base: str  # model name or folder
    objective: Objective = "mix"
    cross_entropy_weight: float = 0.5  # share in the mix; the rest is forward KL
    top_k: int = 64  # teacher log-probabilities stored per token, plus one tail bucket
    lora_rank: int = 16
    lora_alpha: int = 32
    learning_rate: float = 5e-4
    warmup_fraction: float = 0.05
    epochs: float = 4.0
    batch_rows: int = 8  # rows per optimizer step
    micro_batch_rows: int = 8  # rows per forward pass; halved when out of memory, with accumulation to batch_rows
    max_gradient_norm: float = 1.0
    weight_decay: float = 0.0
    seed: int = 0
    evaluations: int = 6  # validation passes per run, evenly spaced; the last step is always one
    checkpoint_every_s: float = 60.0
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"
    adapter: AdapterKind = "lora"
    quantize_base: QuantizedBase = "none"  # nf4: the base's linear layers in four bits (QLoRA); GPU only
    initial_run_id: int | None = None  # the run whose adapter this one starts from
    # Second stage: the student's own answers, scored by the prompted base (reverse KL).
    on_policy_steps: int = 0
    on_policy_batch_rows: int = 64  # questions per step, one answer each
    on_policy_learning_rate: float = 5e-5
    on_policy_answer_tokens: int = 512  # maximum; never much longer than the longest training answer
    on_policy_top_k: int = 256  # the student's most likely tokens, plus one tail bucket; at most the vocabulary
    on_policy_skipped_tokens: int = 1  # leading tokens of an answer that have no loss
    on_policy_ratio_clip: float = 5.0  # nats; limit on a token's log-ratio of student to teacher
    # Against forgetting: share of general questions among a step's rows, with the unprompted base as their teacher.
    general_fraction: float = 0.0
    # For use with the prompt: weight of the student's divergence from the base when both see the prompt.
    prompt_back_weight: float = 0.0
    # Early stopping: consecutive evaluations of the last stage without improvement before the run ends; 0: never.
    patience: int = 0
    # Changes made while the run was stopped, in order: (first step affected, epochs of the first stage from then on).
    replanned: tuple[tuple[int, float], ...] = ()

    @property
    def loaded_base(self) -> str:
        """The base as loaded, including its quantization, as text. An adapter fits exactly this."""
        return self.base if self.quantize_base == "none" else f"{self.base} in {self.quantize_base}"

    @property
    def adapter_text(self) -> str:
        """Short description of what is trained."""
        return "whole layers" if self.adapter == "full" else f"rank {self.lora_rank}"

    @property
    def last_epochs(self) -> float:
        """The epochs of the first stage after the latest change."""
        return self.replanned[-1][1] if self.replanned else self.epochs


def alpha_of(adapter: AdapterKind, rank: int) -> int:
    """Return the alpha for a rank: twice the rank, so that the scale, alpha / rank, is always 2.

    A rank-stabilised adapter scales by alpha / √rank, which should change with the rank: its alpha is fixed at the
    value that gives a scale of 2 at rank 16.
    """
    return 8 if adapter == "rslora" else 2 * rank


WORST_KEPT = 8  # tokens or answers at which two models differ most
BEFORE_CHARACTERS = 80  # of an answer, kept to show such a token in its place


@dataclass(frozen=True, slots=True)
class WorstToken:
    """A validation token at which student and teacher differ strongly. Text is raw tokenizer output.

    If no validation answer has a local teacher, `kl` is the token's cross-entropy and `teacher` the token itself.
    """

    kl: float  # nats
    example_id: int
    before: str  # the last characters of the answer before the token
    token: str
    teacher: str  # the teacher's most likely token here; empty: the end of the answer
    student: str  # the student's most likely token here; empty: the end of the answer
    prompt_index: int = 0  # the example's prompt, as in `DatasetRow`


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One point of the training curve, recorded at a validation pass."""

    step: int
    epoch: float
    train_loss: float
    validation_kl: float
    rule_rates: tuple[tuple[int, float], ...]  # (rule id, pass rate) on validation answers
    all_rules_rate: float | None  # None: no answers were sampled at this step
    learning_rate: float
    tokens_per_second: float
    best: bool
    asked: int = 16  # questions with sampled answers, which the rates are based on
    asked_own: int | None = None  # those among them of the project itself, the basis of `rule_rates`; None: all
    measure: Measure = "validation KL"  # what `validation_kl` measures

    @property
    def rules_asked(self) -> int:
        """The number of answers behind each rule's rate."""
        return self.asked if self.asked_own is None else self.asked_own


@dataclass(frozen=True, slots=True)
class Estimated:
    """What a training was expected to take, before its first step. None: unknown.

    `gpu_peak_mb` alone is measured, at the end. The other measured values are fields of the run.
    """

    seconds: float | None
    memory_mb: float | None  # peak; 1 MB is 1e6 bytes
    disk_mb: float | None
    gpu_peak_mb: float | None = None  # measured peak memory on a GPU


@dataclass(frozen=True, slots=True)
class Calibration:
    """Measured cost of a few steps on the longest rows, on this machine. None: the configuration has no such stage."""

    config: TrainingConfig  # with the micro-batch size that fits in memory
    dataset_sha256: str
    device: str
    dtype: str
    first_s: float | None  # seconds per trained token, first stage
    second_s: float | None  # the same, second stage
    memory_mb: float  # peak; 1 MB is 1e6 bytes
    after_run: int = 0  # id of the newest run at that time; later runs are better estimates


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
    disk_mb: float = 0.0  # run folder plus the teacher's distributions, measured at the end
    expected_measure: Measure = "validation KL"  # what its dataset lets a validation measure

    @property
    def measure(self) -> Measure:
        """What its validation measures."""
        return self.curve[-1].measure if self.curve else self.expected_measure

    @property
    def short_measure(self) -> str:
        """The same for other programs: `KL` or `cross-entropy`."""
        return self.measure.removeprefix("validation ")

    @property
    def state_word(self) -> str:
        """Its state as shown to the user, in the word that its job has too."""
        return "killed" if self.state == "stopped" and self.reason == KILLED else self.state

    @property
    def is_timed(self) -> bool:
        """Whether `train_s` is the time of its steps, not all that its jobs had worked when they were killed."""
        return self.reason not in (KILLED, FORCED)

    @property
    def has_adapter(self) -> bool:
        """Whether it has produced an adapter that can be evaluated."""
        return self.state == "done" or self.best_step > 0


def measure_of(*runs: Run | None) -> str:
    """Return the name of what the validation of these runs measures, as shown to the user."""
    known = [run for run in runs if run is not None]
    measured = [run for run in known if run.curve] or known
    return " / ".join(dict.fromkeys(run.measure for run in measured)) or "validation KL"

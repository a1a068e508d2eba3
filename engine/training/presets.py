"""Presets: hyper-parameters chosen from dataset size, model size and free memory, with a reason for each value.

Pure; no model library. Knows nothing of projects or of how the facts were found.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from math import log
from typing import Literal, TypeVar

from engine.errors import TrainingError
from engine.records.run import FULL_RATE, Objective, TrainingConfig, alpha_of
from engine.training.peak import TrainingFacts, memory_mb, peak_mb
from engine.wording import counted, size

Preset = Literal["fast", "balanced", "best"]
USUAL: Preset = "balanced"
# The fields that a preset chooses; all others keep the values that were asked for.
CHOSEN = frozenset({
    "objective", "cross_entropy_weight", "top_k", "lora_rank", "lora_alpha", "learning_rate", "warmup_fraction",
    "epochs", "batch_rows", "micro_batch_rows", "evaluations", "on_policy_steps", "on_policy_batch_rows",
    "on_policy_learning_rate", "general_fraction", "prompt_back_weight",
})  # fmt: skip
T = TypeVar("T")
GIVEN = "your value"

FEW_ROWS, MANY_ROWS = 200, 2_000
MEMORY_SHARE = 0.9  # of the free memory: the rest covers the system and the error of the estimate


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one value was chosen, and the source of that reason."""

    name: str  # a field of the configuration
    value: str
    why: str
    basis: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A configuration with its reasons. `memory_mb` is the estimated peak; None if the base's shapes are unknown."""

    preset: Preset
    config: TrainingConfig
    reasons: tuple[Reason, ...]
    memory_mb: float | None
    free_mb: float | None
    free_note: str = ""  # from when, and for how many, `free_mb` is free
    quantized_mb: float | None = None  # the peak with the base in four bits; set only if nothing else fits this GPU

    @property
    def fits(self) -> bool:
        """Whether the estimate is within the free memory; True if either is unknown."""
        return self.memory_mb is None or self.free_mb is None or self.memory_mb <= self.free_mb

    def require_fit(self) -> "Choice":
        """Return this choice. Raises `TrainingError` if even one row at a time does not fit into memory."""
        if not self.fits:
            raise TrainingError(
                "There is not enough free memory for this training.",
                f"It needs about {_amount(self.memory_mb)} even with one row at a time; "
                f"{_free(self.free_mb, self.free_note)}.",
                _in_four_bits(self)
                or "Choose a smaller base or another device, close other programs, or train without a preset.",
            )
        return self


@dataclass(frozen=True, slots=True)
class _Aim:
    """What a preset aims for with models of one size. `epochs`: for few rows, for many rows."""

    epochs: tuple[float, float]
    rank: int
    learning_rate: float
    rate_why: str


_STARTER = "measured on the starter model"
_SIX = "3 to 6 epochs of 146 rows, measured on the starter model"
_DEMO = "tuned on the demo's questions"
_PUBLISHED = "published recipes for 1B to 8B models"
_SMALL: dict[Preset, _Aim] = {
    "fast": _Aim((2.5, 1.5), 16, 1e-3, "a high rate for few steps"),
    "balanced": _Aim((4.0, 2.0), 16, 5e-4, "a lower rate over more steps"),
    "best": _Aim((6.0, 3.0), 32, 5e-4, "a lower rate over more steps"),
}
_LARGE: dict[Preset, _Aim] = {
    "fast": _Aim((2.0, 2.0), 32, 2e-4, "the highest safe rate, for few epochs"),
    "balanced": _Aim((3.0, 2.0), 32, 1e-4, "LoRA needs ten times the rate of full fine-tuning"),
    "best": _Aim((4.0, 3.0), 64, 1e-4, "LoRA needs ten times the rate of full fine-tuning"),
}
_TOP_K: dict[Preset, tuple[int, str, str]] = {
    "fast": (20, "as good as the full vocabulary, with the smallest cache", "published: SDFT"),
    "balanced": (64, "leaves little for the tail bucket", _STARTER),
    "best": (256, "leaves almost nothing for the tail bucket", "published: OPCD, arXiv 2602.12275"),
}
_EVALUATIONS: dict[Preset, int] = {"fast": 3, "balanced": 6, "best": 8}
_SECOND_STAGE_STEPS, _SECOND_STAGE_ROWS, _SECOND_STAGE_RATE = 50, 64, 5e-5
_GENERAL_FRACTION, _PROMPT_BACK_WEIGHT = 0.1, 0.1
SHORT_EPOCHS = 2.0  # a first stage shorter than this leaves most of the student's own answers without an end
CUT_WARNING = "after a first stage under 2 epochs, most of the student's answers are cut off"
_UNSCORED = "no training answer comes from the prompted base: only text is available"
_CUT = "measured on the starter model: 75 to 88 % cut off"


def choose(preset: Preset, facts: TrainingFacts, asked: TrainingConfig, given: Collection[str] = ()) -> Choice:
    """Return the preset's configuration. Fields of `asked` that `given` names win; fields outside `CHOSEN` stay."""
    picker = _Picker(frozenset(given))
    aim = (_SMALL if facts.small else _LARGE)[preset]
    basis = _DEMO if facts.small and preset == "fast" else _STARTER if facts.small else _PUBLISHED
    asked = supported_objective(asked, facts, given)
    mix: Objective = "mix"
    weight = asked.cross_entropy_weight
    if facts.scored_tokens:
        objective = picker.pick(
            "objective", asked.objective, mix, "KL keeps the teacher's uncertainty, cross-entropy the edits", _DEMO
        )
        why = "more passes more rules, less stays closer to the teacher"
        weight = picker.pick("cross_entropy_weight", weight, 0.5, why, _DEMO)
    else:
        objective = picker.pick("objective", asked.objective, asked.objective, _UNSCORED, "this dataset")
    k, k_why, k_basis = _TOP_K[preset]
    if facts.shapes is not None:
        k = max(1, min(k, facts.shapes.vocabulary))
    top_k = picker.pick("top_k", asked.top_k, k, k_why, k_basis)
    rank, alpha, wanted, rate_why = asked.lora_rank, asked.lora_alpha, aim.learning_rate, aim.rate_why
    if asked.adapter == "full":
        wanted, rate_why = wanted * FULL_RATE, "a tenth of an adapter's rate: the weights themselves change"
    else:
        rank_basis = basis if aim.rank <= 16 else _PUBLISHED
        rank = picker.pick("lora_rank", asked.lora_rank, aim.rank, f"on all linear layers; {_size(facts)}", rank_basis)
        alpha = alpha_of(asked.adapter, rank)
        picker.pick("lora_alpha", alpha, alpha, "scales the adapter's output by 2 at rank 16", _PUBLISHED)
    rate = picker.pick("learning_rate", asked.learning_rate, wanted, rate_why, basis)
    warmup = picker.pick("warmup_fraction", asked.warmup_fraction, 0.05, "usually 3 to 10 % of the steps", _PUBLISHED)
    epochs_basis = _SIX if basis == _STARTER else basis
    epochs = picker.pick("epochs", asked.epochs, *_epochs(facts.rows, *aim.epochs), epochs_basis)
    batch = picker.pick("batch_rows", asked.batch_rows, *_batch(facts), basis)
    steps = max(1, round(epochs * -(-facts.rows // batch)) or asked.on_policy_steps)
    evaluations = picker.pick(
        "evaluations",
        asked.evaluations,
        min(_EVALUATIONS[preset], steps),
        "validation passes, to find the best step",
        "together under a tenth of a run's time",
    )
    config = replace(
        asked, objective=objective, cross_entropy_weight=weight, top_k=top_k, lora_rank=rank, lora_alpha=alpha,
        learning_rate=rate, warmup_fraction=warmup, epochs=epochs, batch_rows=batch, evaluations=evaluations,
    )  # fmt: skip
    config = _beside(preset, facts, _second_stage(preset, facts, config, picker), picker)
    micro, why = _micro_batch(config, facts)
    chosen = picker.pick("micro_batch_rows", asked.micro_batch_rows, micro, why, "memory estimate")
    config = replace(config, micro_batch_rows=min(chosen, batch))
    peak = peak_mb(config, facts)
    choice = Choice(preset, config, tuple(picker.reasons), peak, facts.free_mb, facts.free_note)
    in_four_bits = replace(choice, memory_mb=peak_mb(replace(config, quantize_base="nf4"), facts))
    helps = facts.on_gpu and not choice.fits and in_four_bits.fits
    return replace(choice, quantized_mb=in_four_bits.memory_mb) if helps else choice


def supported_objective(config: TrainingConfig, facts: TrainingFacts, given: Collection[str] = ()) -> TrainingConfig:
    """Return `config` with an objective that the training answers allow: cross-entropy if they are only text.

    Raises `TrainingError` if `given` names an objective that they do not allow.
    """
    if facts.scored_tokens or config.objective == "cross_entropy":
        return config
    if "objective" in given:
        raise TrainingError(
            f"Cannot train on this dataset with the objective {config.objective}.",
            f"It needs the teacher's distributions, but {_UNSCORED}.",
            "Train with the cross-entropy objective, or generate answers with the local teacher.",
        )
    return replace(config, objective="cross_entropy")


def warned(config: TrainingConfig) -> str:
    """Return a warning about the second stage of `config`, or an empty string."""
    short = config.last_epochs < SHORT_EPOCHS and config.initial_run_id is None
    return f"{CUT_WARNING} ({_CUT})" if config.on_policy_steps and short else ""


def choice_text(choice: Choice) -> str:
    """Return one line per value, with its reason and the source of the reason."""
    lines = [f"Preset {choice.preset}:"]
    lines += [f"  {r.name:<23} {r.value:<8} {r.why}" + (f" ({r.basis})" if r.basis else "") for r in choice.reasons]
    if not choice.fits:
        needed, free = _amount(choice.memory_mb), _free(choice.free_mb, choice.free_note)
        lines.append(f"It does not fit: it needs about {needed}; {free}. {_in_four_bits(choice)}".rstrip())
    return "\n".join(lines)


def choice_json(choice: Choice) -> dict[str, object]:
    """Return the choice as JSON data."""
    return {
        "preset": choice.preset,
        "config": asdict(choice.config),
        "reasons": [asdict(reason) for reason in choice.reasons],
        "memory_mb": choice.memory_mb,
        "free_mb": choice.free_mb,
        "fits": choice.fits,
        "quantized_mb": choice.quantized_mb,
    }


class _Picker:
    """Takes the user's value if there is one, else the preset's, and records the reasons."""

    def __init__(self, given: frozenset[str]) -> None:
        self._given = given
        self.reasons: list[Reason] = []

    def pick(self, name: str, asked: T, chosen: T, why: str, basis: str, *, against: str = "") -> T:
        """Return the value to use. `against`: a warning, recorded if the user's value is not the chosen one."""
        if name in self._given:
            why = f"{GIVEN}, but {against}" if against and asked != chosen else GIVEN
            chosen, basis = asked, basis if why != GIVEN else ""
        words = f"{chosen:g}" if isinstance(chosen, float) else str(chosen)
        self.reasons.append(Reason(name, words, why, basis))
        return chosen


def _second_stage(preset: Preset, facts: TrainingFacts, config: TrainingConfig, picker: _Picker) -> TrainingConfig:
    """Choose whether the student also trains on its own answers, and how."""
    against = ""
    steps, why, basis = 0, "left out: its steps sample, score and train, so they take longest", _PUBLISHED
    if not facts.own_rows:
        why, basis = "no training answer is entirely the prompted base's: nothing to ask", "this dataset"
    elif config.epochs < SHORT_EPOCHS and config.initial_run_id is None:
        why, basis, against = f"left out: {CUT_WARNING}", _CUT, CUT_WARNING
    elif facts.small:
        why, basis = "left out: more epochs are a better use of the time", _STARTER
    elif preset == "best":
        steps, why = _SECOND_STAGE_STEPS, "trains on its own answers; stops if over half stay cut off"
    steps = picker.pick("on_policy_steps", config.on_policy_steps, steps, why, basis, against=against)
    config = replace(config, on_policy_steps=steps)
    if not steps:
        return config
    wanted = max(1, min(_SECOND_STAGE_ROWS, facts.own_rows))
    why = "questions per step, one answer each" if wanted == _SECOND_STAGE_ROWS else "there are no more questions"
    batch = picker.pick("on_policy_batch_rows", config.on_policy_batch_rows, wanted, why, _PUBLISHED)
    asked = config.on_policy_learning_rate
    rate = picker.pick(
        "on_policy_learning_rate", asked, _SECOND_STAGE_RATE, "well below that of the first stage", _PUBLISHED
    )
    return replace(config, on_policy_batch_rows=batch, on_policy_learning_rate=rate)


def _beside(preset: Preset, facts: TrainingFacts, config: TrainingConfig, picker: _Picker) -> TrainingConfig:
    """Choose the terms against forgetting, and against getting worse when the prompt is put back."""
    fraction, why = _GENERAL_FRACTION, "of each step's rows: keeps the base's answers to other questions"
    if preset == "fast":
        fraction, why = 0.0, "left out to save time: the prompt's format spills into other answers"
    fraction = picker.pick("general_fraction", config.general_fraction, fraction, why, _DEMO)
    weight, why = 0.0, "left out: it repairs what the second stage damages"
    if config.on_policy_steps and facts.own_rows:
        weight, why = _PROMPT_BACK_WEIGHT, "repairs what the second stage damages with the prompt put back"
    weight = picker.pick("prompt_back_weight", config.prompt_back_weight, weight, why, _PUBLISHED)
    return replace(config, general_fraction=fraction, prompt_back_weight=weight)


def _epochs(rows: int, few: float, many: float) -> tuple[float, str]:
    """Interpolate from `few` at 200 rows to `many` at 2,000 rows, log-linearly and in halves; with the reason."""
    share = log(max(rows, 1) / FEW_ROWS) / log(MANY_ROWS / FEW_ROWS)
    epochs = round(2 * (few + (many - few) * min(1.0, max(0.0, share)))) / 2
    words = counted(rows, "row")
    if few == many:
        return epochs, f"how often each of {words} is seen"
    return epochs, f"{words}: {few:g} up to {FEW_ROWS} rows, {many:g} from {MANY_ROWS:,}"


def _batch(facts: TrainingFacts) -> tuple[int, str]:
    wanted, why = 8, "small batches: for a small model the number of steps counts"
    if not facts.small:
        wanted = 16 if facts.rows < 500 else 32 if facts.rows < MANY_ROWS else 128
        why = f"rows per step: 16, 32 from 500 rows, 128 from {MANY_ROWS:,}"
    return (wanted, why) if facts.rows >= wanted else (max(1, facts.rows), "there are no more rows")


def _micro_batch(config: TrainingConfig, facts: TrainingFacts) -> tuple[int, str]:
    """Return how many rows of a forward pass fit into memory, halving from the whole batch; with the reason."""
    rows = config.batch_rows
    if facts.shapes is None or facts.free_mb is None:
        return min(rows, 8), "memory or the base's size is not known yet; halved if it does not fit"
    free = facts.free_mb * MEMORY_SHARE
    while rows > 1 and (memory_mb(replace(config, micro_batch_rows=rows), facts) or 0.0) > free:
        rows //= 2
    config = replace(config, micro_batch_rows=rows)
    peak = peak_mb(config, facts)
    twice = ", layers computed twice" if peak != memory_mb(config, facts) else ""
    free_words = _free(facts.free_mb, facts.free_note, "that is free")
    return rows, f"rows per forward pass{twice}: ≈ {_amount(peak)} of the {free_words}"


def _in_four_bits(choice: Choice) -> str:
    """Say that four bits would fit; empty if they would not, or if that is not known."""
    if choice.quantized_mb is None:
        return ""
    return (
        f"In four bits (--quantize-base nf4) it needs about {_amount(choice.quantized_mb)}; it is then the teacher too."
    )


def _amount(megabytes: float | None) -> str:
    return "an unknown amount" if megabytes is None else size(megabytes)


def _free(megabytes: float | None, note: str, words: str = "is free") -> str:
    """Say how much is free, from when and for how many."""
    return f"{_amount(megabytes)} {words} {note}".rstrip()


def _size(facts: TrainingFacts) -> str:
    if facts.shapes is None:
        return "the base is not on this machine yet"
    return f"the base has {facts.shapes.parameters / 1e6:,.0f} million parameters"

"""Estimates for a training before it starts: steps, time, memory and disk, each with its source.

Time is scaled from an earlier run of the same base on the same device by the work of both (`work`). Memory is that of
a similar run, else calculated as for presets. Steps follow from the configuration, disk from the shapes of the base's
layers. A run keeps its estimate, so that the error can be reported. Pure; no model library.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.records.dataset import DatasetSummary
from engine.records.run import Calibration, Estimated, Run, TrainingConfig
from engine.training.costs import GENERAL_ROW_TOKENS, general_rows, id_bytes, needs_teacher
from engine.training.facts import Basis
from engine.training.peak import peak_mb, trained_numbers
from engine.training.presets import warned
from engine.training.work import Work, steps_of, work_of
from engine.wording import counted, duration, size

_CHECKPOINTS = 4  # the two newest, and two that may be the best
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class TrainingEstimate:
    """What one training will take; None if nothing was measured yet. `like` is the run that was measured."""

    steps: int
    seconds: float | None
    memory_mb: float | None
    disk_mb: float | None
    like: Run | None
    calibration: Calibration | None = None  # set if its figures are used
    memory_like: Run | None = None
    shards: int = 1  # processes that share the base; memory is that of one

    @property
    def figures(self) -> Estimated:
        """The figures that a run keeps."""
        return Estimated(self.seconds, self.memory_mb, self.disk_mb)


def estimate_training(config: TrainingConfig, basis: Basis) -> TrainingEstimate:
    """Return the estimate for one configuration. Pure."""
    steps = steps_of(config, basis.dataset.train) + config.on_policy_steps
    like = _like(config, basis.runs)
    seconds = None
    if like is not None and basis.tokens.mean:
        behind = _work(like.config, basis.dataset_of(like), basis).until(like.step)
        seconds = like.train_s / behind * _work(config, basis.dataset, basis).until(steps)
    whole = basis.shards == 1  # memory measured with the whole base says nothing about a process that holds a part
    memory_like = _memory_like(config, basis.runs) if whole else None
    calibration = basis.calibration if _tells(basis.calibration, config, like) else None
    if calibration is not None and basis.tokens.mean:
        first_s, second_s = calibration.first_s, calibration.second_s
        seconds = _work(config, basis.dataset, basis).seconds(
            first_s or second_s or 0.0,
            second_s or first_s or 0.0,
            steps - config.on_policy_steps,
            config.on_policy_steps,
        )
    memory = _taken_mb(memory_like) if memory_like is not None else _memory_mb(config, basis)
    if whole and calibration is not None and _size_of(calibration.config) == _size_of(config):
        memory, memory_like = calibration.memory_mb, None
    return TrainingEstimate(
        steps=steps,
        seconds=seconds,
        memory_mb=memory,
        disk_mb=_disk_mb(config, basis),
        like=like,
        calibration=calibration,
        memory_like=memory_like,
        shards=basis.shards,
    )


def outlook_text(config: TrainingConfig, basis: Basis) -> str:
    """Return the estimate as text: one line per quantity, with its source."""
    estimate = estimate_training(config, basis)
    epochs = counted(config.last_epochs, "epoch", "g")
    stages = f"{counted(basis.dataset.train, 'row')}, {config.batch_rows} per step, {epochs}"
    if config.on_policy_steps:
        stages += f", then {config.on_policy_steps:,} on {counted(config.on_policy_batch_rows, 'own answer')} each"
    disk = "not known until the base is on this machine"
    if estimate.disk_mb is not None:
        kept = ", the teacher's distributions" if _scored(config, basis) else ""
        disk = f"≈ {size(estimate.disk_mb)}: adapter, up to four checkpoints{kept}"
    lines = [
        f"{counted(estimate.steps, 'step')}: {stages}",
        _time(estimate, config),
        _memory(estimate),
        f"disk    {disk}",
    ]
    if warning := warned(config):
        lines.append(f"Second stage: {warning}.")
    return "\n".join(lines)


def error_text(run: Run) -> str:
    """Return a sentence that compares the estimate with what the run took; empty if nothing can be compared."""
    if run.estimate is None or run.state != "done":
        return ""
    whole = run.step >= run.steps  # a run that ended early was estimated to take longer
    pairs = (
        ("time", run.estimate.seconds, run.train_s if whole else 0.0, duration),
        ("memory", run.estimate.memory_mb, _taken_mb(run), size),
        ("disk", run.estimate.disk_mb, run.disk_mb, size),
    )
    parts = [
        f"{name} {words(estimated)}, took {words(taken)} ({100 * (taken / estimated - 1):+.0f}\u00a0%)".replace(
            "-", "−"
        )
        for name, estimated, taken, words in pairs
        if estimated and taken
    ]
    return f"Estimated {'; '.join(parts)}." if parts else ""


def _time(estimate: TrainingEstimate, config: TrainingConfig) -> str:
    like, measured = estimate.like, estimate.calibration
    if estimate.seconds is not None and measured is not None:
        reckoned = "" if _kinds(measured.config) >= _kinds(config) else ", part estimated"
        where = f"{measured.device} {measured.dtype}"
        return f"time    ≈ {duration(estimate.seconds)}: measured on the longest rows on {where}{reckoned}"
    if estimate.seconds is None or like is None:
        wanted = " ".join(each for each in (config.device, config.dtype) if each != "auto")
        return f"time    not known: no run of this base{f' on {wanted}' if wanted else ''} yet"
    where = " ".join(part for part in (like.device, like.dtype) if part)
    reckoned = "" if _kinds(like.config) >= _kinds(config) else ", part estimated"
    return f"time    ≈ {duration(estimate.seconds)}: at the pace of run {like.id} on {where}{reckoned}"


def _memory(estimate: TrainingEstimate) -> str:
    if estimate.memory_mb is None:
        return "memory  not known until the base is on this machine"
    like, measured = estimate.memory_like, estimate.calibration
    if measured is not None and estimate.memory_mb == measured.memory_mb:
        rows = measured.config.micro_batch_rows
        return f"memory  ≈ {size(estimate.memory_mb)}: measured on the longest rows, {rows} per pass"
    why = "calculated from the base's shapes" if like is None else f"the peak of run {like.id}"
    if estimate.shards > 1:
        why = f"in each of {estimate.shards} processes, {why}"
    return f"memory  ≈ {size(estimate.memory_mb)}: {why}"


def _memory_mb(config: TrainingConfig, basis: Basis) -> float | None:
    return peak_mb(config, basis.facts(config)) if basis.tokens.longest else None


def _work(config: TrainingConfig, dataset: DatasetSummary, basis: Basis) -> Work:
    on_gpu = basis.facts(config).on_gpu
    return work_of(config, dataset.train, dataset.validation, basis.tokens, on_gpu=on_gpu)


def _kinds(config: TrainingConfig) -> frozenset[str]:
    """Return the kinds of steps and terms that a run has."""
    parts = {
        "first": config.last_epochs > 0,
        "second": config.on_policy_steps > 0,
        "general": config.general_fraction > 0,
        "back": config.prompt_back_weight > 0,
    }
    return frozenset(name for name, there in parts.items() if there)


def _measured(config: TrainingConfig, runs: Sequence[Run]) -> list[Run]:
    """Return the runs with at least one step that share base, device, dtype and whether whole layers are trained."""
    return [
        run
        for run in runs
        if run.config.loaded_base == config.loaded_base
        and (run.config.device, run.config.dtype) == (config.device, config.dtype)
        and (run.config.adapter == "full") == (config.adapter == "full")
        and run.step > 0
        and run.train_s > 0
        and run.is_timed
    ]


def _like(config: TrainingConfig, runs: Sequence[Run]) -> Run | None:
    """Return the most similar measured run: by kinds of steps and terms, then by objective, then the newest."""

    def likeness(run: Run) -> tuple[int, bool, int]:
        return -len(_kinds(run.config) ^ _kinds(config)), run.config.objective == config.objective, run.id

    return max(_measured(config, runs), key=likeness, default=None)


def _tells(calibration: Calibration | None, config: TrainingConfig, like: Run | None) -> bool:
    """Whether the calibration is for this base and device, and no later run of the same kind replaces it."""
    if calibration is None or not (calibration.first_s or calibration.second_s):
        return False
    one = calibration.config
    same = (one.loaded_base, one.device, one.dtype) == (config.loaded_base, config.device, config.dtype)
    later = like is not None and like.id > calibration.after_run and _kinds(like.config) == _kinds(config)
    return same and (one.adapter == "full") == (config.adapter == "full") and not later


def _size_of(config: TrainingConfig) -> tuple[object, ...]:
    """Return what decides how much memory a training takes, for one base and one device."""
    return config.micro_batch_rows, config.lora_rank, config.adapter, _kinds(config)


def _memory_like(config: TrainingConfig, runs: Sequence[Run]) -> Run | None:
    """Return the newest run that took about as much memory as this one will."""
    found = [run for run in _measured(config, runs) if _taken_mb(run) and _size_of(run.config) == _size_of(config)]
    return found[-1] if found else None


def _taken_mb(run: Run) -> float | None:
    """Return the run's peak memory on its device; on a CPU that of the process. None or 0: not known."""
    if run.device in ("", "cpu"):
        return run.peak_rss_mb
    return None if run.estimate is None else run.estimate.gpu_peak_mb


def _scored(config: TrainingConfig, basis: Basis) -> int:
    """Return the number of tokens whose distributions are kept; those of validation always are."""
    return basis.scored_validation + (basis.scored_train if needs_teacher(config) else 0)


def _disk_mb(config: TrainingConfig, basis: Basis) -> float | None:
    """Return the size of the adapter, its checkpoints with both moments of every weight, and the distributions."""
    if basis.shapes is None:
        return None
    adapter = trained_numbers(config, basis.shapes) * _FLOAT_BYTES
    vocabulary = basis.shapes.vocabulary
    token_bytes = min(config.top_k, vocabulary) * (id_bytes(vocabulary) + 2) + 2
    tokens = _scored(config, basis)
    tokens += general_rows(config, basis.dataset.train) * GENERAL_ROW_TOKENS
    return (adapter * (1 + 3 * _CHECKPOINTS) + tokens * token_bytes) / 1e6

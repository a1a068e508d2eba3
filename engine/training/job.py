"""The training stage: turns a frozen dataset into a run's adapter, inside a job, and records the run in the store.

When resumed, it continues from the newest intact checkpoint. Knows nothing of losses, steps or tensors.
"""

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

from engine.economics.stored_outcome import refresh_outcome
from engine.errors import DatasetError, DistillError, JobStopped, TrainingError
from engine.gpus import card_of
from engine.jobs.context import JobContext
from engine.jobs.protocol import TRAINING, Note, Progress
from engine.model.adapter_place import ADAPTER, adapter_of
from engine.model.chat_format import ChatFormat
from engine.model.kernels import kernels_note
from engine.model.local_model import LocalModel
from engine.model.memory import releasing
from engine.model.targets import EXPERTS_NOTE, has_experts
from engine.paths import make_private_folder, sync_folder, write_atomically
from engine.project import Project
from engine.records.dataset import Dataset, DatasetPrompt
from engine.records.options import TrainOptions
from engine.records.question import Question
from engine.records.run import Run, RunState, TrainingConfig
from engine.store.dataclass_json import encode
from engine.training.batches import check_prompt_absent, check_rows
from engine.training.brief import Brief, ask_base, device_of, load_for, make_trainer
from engine.training.checkpoints import fault_of
from engine.training.facts import read_basis
from engine.training.job_hooks import JobHooks
from engine.training.memory import GPU_PEAK, device_memory, peak_rss_mb
from engine.training.mirrors import About, Mirrors, require_libraries
from engine.training.outlook import error_text, estimate_training
from engine.training.precision import TF32_NOTE, steps_in_tf32
from engine.training.processes import planned_ranks, ranks_of
from engine.training.ranks import Ranks
from engine.training.sharding import held_bytes
from engine.training.trainer import Trained, Trainer
from engine.wording import counted, percent, size


def run(context: JobContext, options: TrainOptions, most_s: float = math.inf) -> None:
    """Train the run that `options` names, or resume it; a finished run is left unchanged.

    Raises `DatasetError`, `ContextError`, `ModelError` or `TrainingError` if it cannot be trained, and `JobStopped` if
    it was asked to stop, after writing a checkpoint; the run's record then says why. However it ends, the best adapter
    so far is where evaluations look for it. Asked to keep what it has, or after `most_s` seconds of training, the run
    is measured once more and ends as done.
    """
    project = context.project
    run = project.runs.get(options.run_id)
    launched = options.processes is None  # by a launcher: its other processes wait for this one in any case
    if run.state == "done" and not launched:
        context.emit(Note(f"Run {run.id} is already trained."))
        return
    ours = False
    try:
        with ExitStack() as held:
            here = planned_ranks(options.processes)
            if launched:
                ranks = held.enter_context(ranks_of(None, context))
            devices = {device_of(run.config.device, place, here.neighbours) for place in range(here.neighbours)}
            for device in sorted(devices, key=card_of):  # the same order everywhere, or two jobs could deadlock
                held.enter_context(context.hold_device(device))
            held.enter_context(releasing())
            if not launched:
                ranks = held.enter_context(ranks_of(options.processes, context))
            with ranks.together():
                run = _unless_done(project, run.id)  # another job may have trained it while this one waited
            if not run.is_timed:
                run = replace(run, train_s=0.0)  # no basis for estimates, nor for what is left of `most_s`
            ours = True
            project.runs.add_job(run.id, context.job.id)
            project.runs.update(run.id, state="running", reason="", train_s=run.train_s)
            require_libraries(options.mirrors)
            about = About(project.name, f"run-{run.id}", asdict(run.config), project.folder / run.folder / "mirrors")
            mirrors = Mirrors(options.mirrors, about, lambda text: context.emit(Note(text)))
            held.callback(mirrors.close)
            _train(context, run, ranks, options.shard, most_s, mirrors)
    except _DoneError as done:
        context.emit(Note(done.title))
    except JobStopped as stopped:
        _tell_end(project, run.id, "stopped", stopped.title, ours=ours)
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, DistillError) else f"{type(error).__name__}: {error}"
        _tell_end(project, run.id, "failed", reason, ours=ours)
        raise


class _DoneError(TrainingError):
    """There is nothing to train."""


def _unless_done(project: Project, run_id: int) -> Run:
    run = project.runs.get(run_id)
    if run.state == "done":
        raise _DoneError(f"Run {run.id} is already trained.")
    return run


def _tell_end(project: Project, run_id: int, state: RunState, reason: str, *, ours: bool) -> None:
    """Record how the run ended, unless this job never had its turn and another one trains or has trained the run."""
    if ours or project.runs.get(run_id).state not in ("running", "paused", "done"):
        project.runs.update(run_id, state=state, reason=reason, peak_rss_mb=peak_rss_mb())


def _train(context: JobContext, run: Run, ranks: Ranks, shard: bool, most_s: float, mirrors: Mirrors) -> None:
    project, config = context.project, run.config
    dataset = _dataset_of(project, run)
    folder = make_private_folder(project.folder / run.folder)
    write_atomically(folder / "config.json", encode(config).encode())
    if ranks.size > 1:
        context.emit(Note(f"{ranks.size} processes share the work."))
    context.emit(Progress(0, 0, f"loading {config.loaded_base}"))
    brief = ranks.broadcast(Brief, replace(brief_of(project, config, dataset, folder), shard=shard))
    local, ranks = load_for(brief, project.home, ranks)
    project.runs.update(run.id, device=str(local.device), dtype=str(local.dtype).removeprefix("torch."))
    for note in chain(_loaded_notes(local, ranks, shard), _check_answers(brief, local.format)):
        context.emit(Note(note))

    def on_rows(done: int, total: int, what: str) -> None:
        context.emit(Progress(done, total, what))
        context.checkpoint()

    outputs = ask_base(brief, local, ranks, on_rows)
    if outputs.teacher is not None:
        context.emit(Note(outputs.teacher.words))
    hooks = JobHooks(context, run, outputs.teacher.seconds if outputs.teacher is not None else 0.0, most_s, mirrors)
    trainer = make_trainer(brief, local, outputs, hooks, ranks, _initial_adapter(project, config))
    project.runs.update(run.id, steps=trainer.steps)
    if not run.step:
        basis = replace(
            read_basis(project, dataset.sha256), shards=ranks.size if shard else 1, local_processes=ranks.neighbours
        )
        project.runs.update(run.id, estimate=estimate_training(config, basis).figures)
    context.emit(Progress(run.step, trainer.steps, TRAINING))
    if not trainer.validator.has_teacher:
        note = "No validation answer comes from a local teacher: the curve shows cross-entropy instead of KL."
        context.emit(Note(note))
    try:
        trained = trainer.run()
    except Exception:
        with suppress(TrainingError):  # such as a full disk: the error to report is the one that ended the run
            _place_best_so_far(trainer, folder)
        raise
    finally:
        hooks.keep_progress(trainer)
    _place_adapter(trained.best_checkpoint, folder)
    caches = [outputs.teacher.path] if outputs.teacher is not None else []
    _record_size(project, run, local, [*folder.rglob("*"), *caches])
    _end(context, run, trained)


def _dataset_of(project: Project, run: Run) -> Dataset:
    """Return the run's dataset. Raises `TrainingError` if it was made for another base."""
    dataset = project.datasets.get(run.dataset_sha256)
    if dataset.base != run.config.base:
        raise TrainingError(
            "The dataset was made for another base model.",
            f"Its token ids are for {dataset.base}; run {run.id} trains {run.config.base}.",
            "Freeze a new dataset for this base, or train the base that this one was made for.",
        )
    return dataset


def _loaded_notes(local: LocalModel, ranks: Ranks, shard: bool) -> Iterator[str]:
    """Yield what the user should know about the loaded base."""
    if shard:
        held = held_bytes(local)
        yield (
            f"Each of {ranks.size} processes holds {size(held.own_bytes / 1e6)} of the base's "
            f"{size(held.whole_bytes / 1e6)}."
        )
    yield from local.format.notes
    if has_experts(local):
        yield EXPERTS_NOTE
    if (note := kernels_note(local)) is not None:
        yield note
    if steps_in_tf32(local):
        yield TF32_NOTE


def _check_answers(brief: Brief, chat: ChatFormat) -> Iterator[str]:
    """Yield what the validation rows do not cover. Raises `DatasetError` if one is too long or repeats a prompt."""
    rows, validation = brief.train, brief.validation
    check_rows(rows, chat.context_length)
    if validation:
        check_rows(validation, chat.context_length)
    for index, taught in enumerate(brief.dataset_prompts):
        answers = [row for row in (*rows, *validation) if row.prompt_index == index]
        check_prompt_absent(answers, [chat.completion_ids(m.content)[:-1] for m in taught.prompt.messages])
        if validation and not any(row.prompt_index == index for row in validation):
            whose = f"the prompt of {taught.project}" if index else "the project's own prompt"
            yield f"There are no validation rows for {whose}: the curve does not cover it."
    if not validation:
        yield "There are no validation rows: the curve is measured on training rows, and the last step is kept."


def _record_size(project: Project, run: Run, local: LocalModel, made: Sequence[Path]) -> None:
    """Record the size of the files in `made`, and the peak memory of a GPU beside the estimate."""
    prior, peak_mb = project.runs.get(run.id).estimate, device_memory(local.device).get(GPU_PEAK)
    if prior is not None and peak_mb is not None:
        project.runs.update(run.id, estimate=replace(prior, gpu_peak_mb=peak_mb))
    project.runs.update(run.id, disk_mb=sum(path.stat().st_size for path in made if path.is_file()) / 1e6)


def brief_of(project: Project, config: TrainingConfig, dataset: Dataset, folder: Path) -> Brief:
    """Return all facts of a run with this configuration. Raises `DatasetError` if a question of the dataset is gone."""
    return Brief(
        config,
        dataset,
        DatasetPrompt(
            project.prompts.by_sha256(dataset.prompt_sha256), _questions(project, dataset), tuple(project.rules.all())
        ),
        project.settings.read().serving_temperature,
        str(folder),
        str(project.caches),
    )


def _place_best_so_far(trainer: Trainer, folder: Path) -> None:
    best = trainer.checkpoints / f"step-{trainer.state.best_step}"
    if trainer.state.best_step and fault_of(best) is None:
        _place_adapter(best, folder)


def _place_adapter(checkpoint: Path, folder: Path) -> None:
    """Put the checkpoint's adapter where evaluations and releases look for the run's best. Raises `TrainingError`."""
    target, beside = folder / ADAPTER, folder / f"{ADAPTER}.tmp"
    try:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(checkpoint / ADAPTER, beside)
        if target.exists():
            shutil.rmtree(target)
        beside.rename(target)
        sync_folder(folder)
    except OSError as error:
        raise TrainingError(
            "Cannot write the best adapter.",
            f"{target}: {error.strerror or error}.",
            "Check the free space and the permissions, then resume the job: no step is repeated.",
        ) from error


def _end(context: JobContext, run: Run, trained: Trained) -> None:
    """Record that the run is done, and report how it went."""
    state = trained.state
    steps = context.project.runs.get(run.id).steps
    reason = f"Ended at step {state.step} of {steps}, as requested." if state.step < steps else ""
    if trained.ended_early:
        advice = "; train the first stage longer before the second" if state.alarms_in_row else ""
        reason = (
            f"Ended at step {state.step} of {steps}: {trained.ended_early}. Step {state.best_step} is kept{advice}."
        )
        context.emit(Note(reason))
    context.project.runs.update(run.id, state="done", best_step=state.best_step, reason=reason)
    refresh_outcome(context.project)
    share = state.validation_s / state.train_s if state.train_s else 0.0
    context.emit(
        Note(
            f"Trained {counted(state.step, 'step')} in {state.train_s:.0f} s, {percent(share)} of it on validation "
            f"(not counting the teacher's distributions); the best step is {state.best_step}."
        )
    )
    if error := error_text(context.project.runs.get(run.id)):
        context.emit(Note(error))


def _initial_adapter(project: Project, config: TrainingConfig) -> Path | None:
    """Return the adapter that the run starts from. Raises `NotFoundError`; `TrainingError` if its base is another."""
    if config.initial_run_id is None:
        return None
    earlier = project.runs.get(config.initial_run_id)
    if earlier.config.base != config.base:
        raise TrainingError(
            "The earlier run has another base model.",
            f"Run {earlier.id} was trained on {earlier.config.base}; this run trains {config.base}.",
            "Start from a run of the same base, or without --initial-run.",
        )
    return adapter_of(project.folder, earlier)


def _questions(project: Project, dataset: Dataset) -> tuple[Question, ...]:
    """Return the project's questions. Raises `DatasetError` if one that the dataset needs is missing."""
    questions = project.questions.all()
    there = {question.id for question in questions}
    missing = next((row for row in dataset.rows if not row.prompt_index and row.question_id not in there), None)
    if missing is not None:
        raise DatasetError(
            "A question of the dataset was deleted.",
            f"Question {missing.question_id} is gone; example {missing.example_id} answers it.",
            "Freeze a new dataset and train on it.",
        )
    return tuple(questions)

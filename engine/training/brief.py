"""The brief of a run, which every one of its processes gets, and the trainer that each makes from it.

Knows nothing of the store or of jobs: the first process reads the facts and sends them to the others.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from engine.errors import TrainingError
from engine.model.load import device_name, load_base, read_base
from engine.model.local_model import LocalModel
from engine.model.locate import locate_base
from engine.model.memory import within_memory
from engine.paths import Home
from engine.records.dataset import Dataset, DatasetPrompt, DatasetRow
from engine.records.run import TrainingConfig
from engine.training.costs import general_rows, longest_prompt_tokens, needs_teacher, row_tokens
from engine.training.extra_terms import General
from engine.training.general import make_general
from engine.training.hooks import Hooks
from engine.training.memory import forget_peak
from engine.training.method import make_course
from engine.training.ranks import Ranks
from engine.training.shardable import require_shardable
from engine.training.sharding import share_layers
from engine.training.student import with_new_adapter
from engine.training.teacher_cache import TeacherCache
from engine.training.trainer import Trainer
from engine.training.validation import Validator
from engine.training.work import Work, work_of
from engine.wording import counted

_SMALLER = "Close other programs, or choose a smaller LoRA rank or a smaller base model."
OnRows = Callable[[int, int, str], None]  # (done, total, of what); may raise to cancel


@dataclass(frozen=True, slots=True)
class Brief:
    """All facts of one run. Folders are those of the first process's machine; other machines may lack them."""

    config: TrainingConfig
    dataset: Dataset
    own: DatasetPrompt  # the project's, with the questions of the dataset at least
    serving_temperature: float
    folder: str  # of the run
    caches: str
    shard: bool = False  # the processes share the base's layers

    @property
    def train(self) -> tuple[DatasetRow, ...]:
        return tuple(self.dataset.split("train"))

    @property
    def validation(self) -> tuple[DatasetRow, ...]:
        return tuple(self.dataset.split("validation"))

    @property
    def dataset_prompts(self) -> tuple[DatasetPrompt, ...]:
        return self.own, *self.dataset.others

    def work(self, *, on_gpu: bool) -> Work:
        """Return the work as first planned: new epochs must not change what the points of the curve are measured on."""
        tokens = row_tokens(self.train, longest_prompt_tokens(each.prompt for each in self.dataset_prompts))
        first = replace(self.config, replanned=())
        return work_of(first, len(self.train), len(self.validation), tokens, on_gpu=on_gpu)


@dataclass(frozen=True, slots=True)
class BaseOutputs:
    """What the frozen base says: distributions of the rows with the prompt in context, and of general questions."""

    teacher: TeacherCache | None
    general: General | None


def device_of(name: str, place: int, processes: int) -> str:
    """Return the device of process `place` of `processes` on this machine; `name` is the one in the configuration.

    A launcher may make only one GPU visible to each process that it starts: then the device is the first visible one.
    Raises `ModelError` if the device does not exist, `TrainingError` if there is not a separate one for each process.
    """
    device = device_name(name)
    if processes == 1 or device == "cpu":
        return device
    if device == "cuda" and _pinned():
        return "cuda:0"
    gpus = torch.cuda.device_count()
    if device != "cuda" or processes > gpus:
        have = f"this machine has {counted(gpus, 'GPU')}" if device == "cuda" else "it is a single one"
        raise TrainingError(
            "Each process needs its own device.",
            f"The run has {processes} processes on device {device}; {have}.",
            "Train with fewer processes, and do not name a single device.",
        )
    return f"cuda:{place}"


def _pinned() -> bool:
    """Whether the launcher shows this process only one GPU. (NCCL detects if two processes see the same one.)"""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return "LOCAL_RANK" in os.environ and bool(shown) and "," not in shown


def load_for(brief: Brief, home: Home, ranks: Ranks) -> tuple[LocalModel, Ranks]:
    """Load the run's base on this process's device, with its share of the CPU cores; also return the ranks to use.

    Raises `TrainingError` if this torch cannot shard a base.
    """
    config = brief.config
    if brief.shard:
        require_shardable(config, ranks.size)
    base = ranks.after_the_first(lambda: locate_base(config.base, home))
    with ranks.together():
        device = device_of(config.device, ranks.place, ranks.neighbours)
        forget_peak(device)
        if brief.shard:
            local = read_base(base, device=device, dtype=config.dtype, placed=False)
        else:
            local = load_base(base, device=device, dtype=config.dtype, quantize=config.quantize_base)
        if ranks.neighbours > 1:
            torch.set_num_threads(max(1, torch.get_num_threads() // ranks.neighbours))
    return local, share_layers(local, ranks) if brief.shard else ranks


def ask_base(brief: Brief, local: LocalModel, ranks: Ranks, on_rows: OnRows) -> BaseOutputs:
    """Let the base answer and score what the run needs; cached for all runs. The processes share the scoring."""
    return BaseOutputs(_teacher(brief, local, ranks, on_rows), _general(brief, local, ranks, on_rows))


def make_trainer(
    brief: Brief, local: LocalModel, outputs: BaseOutputs, hooks: Hooks, ranks: Ranks, initial: Path | None = None
) -> Trainer:
    """Return the trainer of one process; `initial`: the adapter to start from, needed on the first process only.

    Raises `ModelError` if adapter or prompt do not fit into memory, and whatever `with_new_adapter` and `make_course`
    raise.
    """
    config, rows, validation = brief.config, brief.train, brief.validation
    with ranks.together(), within_memory(_SMALLER, "The adapter's weights"):
        student = with_new_adapter(local, config, initial)
    course = make_course(student, config, rows, brief.dataset_prompts, outputs.teacher, outputs.general, ranks)
    validator = Validator(
        validation or rows,
        outputs.teacher,
        brief.dataset_prompts,
        brief.serving_temperature,
        config.seed,
        brief.work(on_gpu=local.device.type != "cpu").validation,
    )
    return Trainer(
        student,
        course,
        brief.dataset.sha256,
        validator,
        Path(brief.folder),
        hooks,
        held_out=bool(validation),
        ranks=ranks,
    )


def _teacher(brief: Brief, local: LocalModel, ranks: Ranks, on_rows: OnRows) -> TeacherCache | None:
    """Return the teacher's distributions for all rows that need them; validation rows always do."""
    rows = (*(brief.train if needs_teacher(brief.config) else ()), *brief.validation)
    if not any(row.edited_from for row in rows):
        return None
    return TeacherCache.build(
        local,
        rows,
        brief.dataset_prompts,
        brief.config.top_k,
        Path(brief.caches),
        on_rows=lambda done, total: on_rows(done, total, "teacher's distributions"),
        ranks=ranks,
    )


def _general(brief: Brief, local: LocalModel, ranks: Ranks, on_rows: OnRows) -> General | None:
    """Return the general questions that the run uses, answered and scored by the base without prompt and adapter."""
    config = brief.config
    if not config.general_fraction:
        return None
    return make_general(
        local,
        general_rows(config, len(brief.train)),
        config.general_fraction,
        config.top_k,
        Path(brief.caches),
        lambda done, total: on_rows(done, total, "general questions, answered by the base"),
        ranks,
    )

"""What a run is made from, as words that every process of it gets, and the trainer that each makes of them.

Knows nothing of the store or of jobs: the first process reads the facts, the others are told.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from engine.economics.tokens import estimate_prompt_tokens
from engine.errors import TrainingError
from engine.model.load import device_name, load_base, read_base
from engine.model.local_model import LocalModel
from engine.model.locate import locate_base
from engine.model.memory import within_memory
from engine.paths import Home
from engine.records.dataset import Dataset, DatasetRow, TaughtPrompt
from engine.records.run import TrainingConfig
from engine.training.beside import General
from engine.training.costs import general_rows, needs_teacher, row_tokens
from engine.training.general import make_general
from engine.training.hooks import Hooks
from engine.training.method import make_course
from engine.training.ranks import Ranks
from engine.training.shardable import require_shardable
from engine.training.sharding import share_layers
from engine.training.student import with_new_adapter
from engine.training.teacher_cache import TeacherCache
from engine.training.trainer import Trainer
from engine.training.validation import Validator
from engine.training.work import Work, work_of

_SMALLER = "Close other programs, or choose a smaller --lora-rank or a smaller base model."
OnRows = Callable[[int, int, str], None]  # (done, total, of what); may raise to give up


@dataclass(frozen=True, slots=True)
class Brief:
    """All facts of one run. Folders are those of the first process's machine; others may lack them."""

    config: TrainingConfig
    dataset: Dataset
    own: TaughtPrompt  # the project's, with the questions of the dataset at least
    serving_temperature: float
    folder: str  # of the run
    caches: str
    shard: bool = False  # the processes hold the base's layers between them

    @property
    def train(self) -> tuple[DatasetRow, ...]:
        return tuple(self.dataset.split("train"))

    @property
    def validation(self) -> tuple[DatasetRow, ...]:
        return tuple(self.dataset.split("validation"))

    @property
    def taught(self) -> tuple[TaughtPrompt, ...]:
        return self.own, *self.dataset.others

    def work(self, *, on_gpu: bool) -> Work:
        """What there is to do, as first planned: new epochs must not change what a curve's points are measured on."""
        prompt_tokens = max(estimate_prompt_tokens(each.prompt).tokens for each in self.taught)
        tokens = row_tokens(self.train, prompt_tokens)
        first = replace(self.config, replanned=())
        return work_of(first, len(self.train), len(self.validation), tokens, on_gpu=on_gpu)


@dataclass(frozen=True, slots=True)
class Known:
    """What the frozen base says of the rows: its distributions behind the prompt, and of general questions without."""

    teacher: TeacherCache | None
    general: General | None


def device_of(name: str, place: int, processes: int) -> str:
    """The device of process `place` among so many on this machine; `name` is the configuration's.

    A launcher may show each process that it starts a card of its own, and no other: then it is the first that it sees.
    Raises `ModelError` where it is not there, `TrainingError` where each cannot have one of its own.
    """
    device = device_name(name)
    if processes == 1 or device == "cpu":
        return device
    if device == "cuda" and _pinned():
        return "cuda:0"
    if device != "cuda" or processes > torch.cuda.device_count():
        raise TrainingError(
            "Each process needs a device of its own.",
            f"{processes} processes, device {device}; this machine has {torch.cuda.device_count()} of them.",
            "Train with fewer processes, and without naming one device.",
        )
    return f"cuda:{place}"


def _pinned() -> bool:
    """Whether whoever launched this process shows it one card. (That two see the same one, NCCL finds.)"""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return "LOCAL_RANK" in os.environ and bool(shown) and "," not in shown


def load_for(brief: Brief, home: Home, ranks: Ranks) -> tuple[LocalModel, Ranks]:
    """The run's base on this process's device, with its share of the machine's cores; and the ranks to go on with.

    Raises `TrainingError` where this torch cannot share a base.
    """
    config = brief.config
    if brief.shard:
        require_shardable(config, ranks.size)
    base = ranks.after_the_first(lambda: locate_base(config.base, home))
    with ranks.together():
        device = device_of(config.device, ranks.place, ranks.neighbours)
        if brief.shard:
            local = read_base(base, device=device, dtype=config.dtype, placed=False)
        else:
            local = load_base(base, device=device, dtype=config.dtype, quantize=config.quantize_base)
        if ranks.neighbours > 1:
            torch.set_num_threads(max(1, torch.get_num_threads() // ranks.neighbours))
    return local, share_layers(local, ranks) if brief.shard else ranks


def ask_base(brief: Brief, local: LocalModel, ranks: Ranks, on_rows: OnRows) -> Known:
    """Let the base answer and score what the run needs of it, once for all runs; the processes share the scoring."""
    return Known(_teacher(brief, local, ranks, on_rows), _general(brief, local, ranks, on_rows))


def make_trainer(
    brief: Brief, local: LocalModel, known: Known, hooks: Hooks, ranks: Ranks, initial: Path | None = None
) -> Trainer:
    """The trainer of one process; `initial` is the adapter that the run starts from, needed on the first alone.

    Raises `ModelError` where adapter or prompt do not fit the memory, and what `with_new_adapter` and `make_course` do.
    """
    config, rows, validation = brief.config, brief.train, brief.validation
    with ranks.together(), within_memory(_SMALLER, "The adapter and what is trained of it"):
        student = with_new_adapter(local, config, initial)
    course = make_course(student, config, rows, brief.taught, known.teacher, known.general, ranks)
    validator = Validator(
        validation or rows,
        known.teacher,
        brief.taught,
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
    """The teacher's distributions of all rows that need them: the validation rows need them in any case."""
    rows = (*(brief.train if needs_teacher(brief.config) else ()), *brief.validation)
    if not any(row.edited_from for row in rows):
        return None
    return TeacherCache.build(
        local,
        rows,
        brief.taught,
        brief.config.top_k,
        Path(brief.caches),
        on_rows=lambda done, total: on_rows(done, total, "teacher's distributions"),
        ranks=ranks,
    )


def _general(brief: Brief, local: LocalModel, ranks: Ranks, on_rows: OnRows) -> General | None:
    """The general questions that the run uses, answered and scored by the bare base."""
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

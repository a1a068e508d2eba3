"""Tiny training runs for tests: a trainer with a real teacher cache, and hooks that record and can interrupt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from engine.model.load import DtypeName, load_base, read_base
from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetPrompt, DatasetRow
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.rule import Check, Rule
from engine.records.run import CurvePoint, TrainingConfig
from engine.training.costs import general_rows
from engine.training.general import make_general
from engine.training.hooks import StepMetrics
from engine.training.method import make_course
from engine.training.ranks import ALONE, Ranks
from engine.training.sharding import share_layers
from engine.training.student import trained_parameters, with_new_adapter
from engine.training.teacher_cache import TeacherCache
from engine.training.trainer import Trainer
from engine.training.validation import Measurement, Validator
from engine.training.validation_plan import ValidationPlan

PROMPT = Prompt((Message("system", "Answer in capital letters."), Message("user", "hi"), Message("assistant", "HI")))
RULES = (Rule(1, "Starts with A.", Check("starts_with", text="A")),)
CONFIG = TrainingConfig(
    base="tiny", top_k=8, lora_rank=4, lora_alpha=8, learning_rate=1e-2, epochs=3.0, batch_rows=4, micro_batch_rows=4,
    evaluations=2, checkpoint_every_s=0.0, seed=5,
)  # fmt: skip
BOTH_STAGES = replace(
    CONFIG, epochs=1.0, on_policy_steps=5, on_policy_batch_rows=6, on_policy_answer_tokens=8,
    on_policy_learning_rate=5e-3,
)  # fmt: skip
ON_POLICY_ONLY = replace(BOTH_STAGES, epochs=0.0)

FULL_VALIDATION = ValidationPlan(scored=100, asked=16, sampled="every", cost=0.0)  # whatever it costs

MakeRow = Callable[..., DatasetRow]


class Killed(BaseException):
    """Stands for a process that is killed here: nothing may catch it."""


@dataclass
class Recorder:
    """Hooks that record everything; `interrupt` is called before each step with the number of the finished one."""

    interrupt: Callable[[int], None] = lambda _step: None
    wants_save: Callable[[], bool] = lambda: False
    wants_end: Callable[[], bool] = lambda: False
    steps: list[StepMetrics] = field(default_factory=list)
    points: list[tuple[CurvePoint, Measurement | None]] = field(default_factory=list)
    validated: list[int] = field(default_factory=list)
    saved: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def on_step(self, metrics: StepMetrics) -> None:
        self.steps.append(metrics)

    def on_validation(self, step: int, steps: int) -> None:
        self.validated.append(step)

    def on_point(self, point: CurvePoint, measured: Measurement | None) -> None:
        self.points.append((point, measured))

    def on_saved(self, step: int) -> None:
        self.saved.append(step)

    def on_note(self, text: str) -> None:
        self.notes.append(text)

    def save_first(self) -> bool:
        return self.wants_save()

    def end_early(self) -> bool:
        return self.wants_end()

    def rest(self) -> None:
        self.interrupt(self.steps[-1].step if self.steps else 0)


def kill_after(step: int | None) -> Callable[[int], None]:
    """An `interrupt` that kills the process once `step` is finished; None never does."""

    def kill(finished: int) -> None:
        if step is not None and finished >= step:
            raise Killed

    return kill


def questions_of(rows: Sequence[DatasetRow], local: LocalModel) -> dict[int, Question]:
    """Return the questions whose token ids the rows hold, by question id."""
    found = {}
    for row in rows:
        text = local.format.decode(row.question_ids)
        text = text.removeprefix("<|im_start|>user\n").split("<|im_end|>")[0]
        found[row.question_id] = Question((Message("user", text),), id=row.question_id)
    return found


def make_dataset_prompts(
    rows: Sequence[DatasetRow], local: LocalModel, prompts: Sequence[Prompt] = (PROMPT,)
) -> tuple[DatasetPrompt, ...]:
    """Return `prompts` with the questions that `rows` answer after each of them."""
    return tuple(
        DatasetPrompt(
            prompt, tuple(questions_of([row for row in rows if row.prompt_index == index], local).values()), RULES
        )
        for index, prompt in enumerate(prompts)
    )


def make_trainer(
    model_folder: Path,
    folder: Path,
    rows: Sequence[DatasetRow],
    hooks: Recorder,
    config: TrainingConfig = CONFIG,
    *,
    local_teacher: bool = True,
    ranks: Ranks = ALONE,
    caches: Path | None = None,
    prompts: Sequence[Prompt] = (PROMPT,),
    shard: bool = False,
    device: str = "cpu",
) -> Trainer:
    """A trainer as a fresh process makes it for the run in `folder`: loads the model, opens or builds the caches."""
    dtype: DtypeName = "bfloat16" if config.dtype == "bfloat16" else "float32"
    if shard:
        local = read_base(model_folder, device="cpu", dtype=dtype, placed=False)
        ranks = share_layers(local, ranks)
    else:
        local = load_base(model_folder, device=device, dtype=dtype)
    train = [row for row in rows if row.split == "train"]
    validation = [row for row in rows if row.split == "validation"]
    dataset_prompts = make_dataset_prompts(rows, local, prompts)
    caches = caches or folder / "caches"
    teacher = None
    if local_teacher:
        teacher = TeacherCache.build(local, rows, dataset_prompts, config.top_k, caches, ranks=ranks)
    validator = Validator(validation or train, teacher, dataset_prompts, 0.7, config.seed, FULL_VALIDATION)
    general = None
    if config.general_fraction:
        count = general_rows(config, len(train))
        general = make_general(local, count, config.general_fraction, config.top_k, caches, ranks=ranks)
    student = with_new_adapter(local, config)
    course = make_course(student, config, train, dataset_prompts, teacher, general, ranks)
    return Trainer(student, course, "d" * 64, validator, folder, hooks, held_out=bool(validation), ranks=ranks)


def randomise_adapter(student: LocalModel, seed: int = 1, std: float = 0.1) -> LocalModel:
    """Fill the adapter with random weights: a new one changes nothing, and its A has no gradients."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in trained_parameters(student):
            parameter.normal_(std=std)
    return student


def adapter_bytes(folder: Path, step: int) -> bytes:
    """The adapter in the checkpoint of `step` of the run in `folder`."""
    return (folder / "checkpoints" / f"step-{step}" / "adapter" / "adapter_model.safetensors").read_bytes()

"""Tiny runs for the tests: fixed texts, a real teacher cache, hooks that remember and that can interrupt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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
from engine.training.student import with_new_adapter
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

WHOLE_PLAN = ValidationPlan(scored=100, asked=16, sampled="every", cost=0.0)  # at every point, whatever it costs

MakeRow = Callable[..., DatasetRow]


class Killed(BaseException):
    """Stands for a process that ends here: nothing may catch it."""


@dataclass
class Recorder:
    """Hooks that remember everything; `interrupt` is called with the finished step before the next one."""

    interrupt: Callable[[int], None] = lambda _step: None
    wants_save: Callable[[], bool] = lambda: False
    wants_end: Callable[[], bool] = lambda: False
    steps: list[StepMetrics] = field(default_factory=list)
    points: list[tuple[CurvePoint, Measurement | None]] = field(default_factory=list)
    saved: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def on_step(self, metrics: StepMetrics) -> None:
        self.steps.append(metrics)

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


def questions_of(rows: Sequence[DatasetRow], local: LocalModel) -> dict[int, Question]:
    """The questions that the rows' ids were made from."""
    found = {}
    for row in rows:
        text = local.format.decode(row.question_ids)
        text = text.removeprefix("<|im_start|>user\n").split("<|im_end|>")[0]
        found[row.question_id] = Question((Message("user", text),), id=row.question_id)
    return found


def taught_of(
    rows: Sequence[DatasetRow], local: LocalModel, prompts: Sequence[Prompt] = (PROMPT,)
) -> tuple[DatasetPrompt, ...]:
    """What `rows` were asked behind `prompts`."""
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
    """A fresh process's view of a run in `folder`: model loaded, adapter new, caches opened or built."""
    dtype: DtypeName = "bfloat16" if config.dtype == "bfloat16" else "float32"
    if shard:
        local = read_base(model_folder, device="cpu", dtype=dtype, placed=False)
        ranks = share_layers(local, ranks)
    else:
        local = load_base(model_folder, device=device, dtype=dtype)
    train = [row for row in rows if row.split == "train"]
    validation = [row for row in rows if row.split == "validation"]
    taught = taught_of(rows, local, prompts)
    caches = caches or folder / "caches"
    teacher = None
    if local_teacher:
        teacher = TeacherCache.build(local, rows, taught, config.top_k, caches, ranks=ranks)
    validator = Validator(
        validation or train,
        teacher,
        taught,
        0.7,
        config.seed,
        WHOLE_PLAN,
    )
    general = None
    if config.general_fraction:
        count = general_rows(config, len(train))
        general = make_general(local, count, config.general_fraction, config.top_k, caches, ranks=ranks)
    student = with_new_adapter(local, config)
    course = make_course(student, config, train, taught, teacher, general, ranks)
    return Trainer(student, course, "d" * 64, validator, folder, hooks, held_out=bool(validation), ranks=ranks)

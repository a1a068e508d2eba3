"""Side: this program's training as in its job: the teacher cache, then the trainer over all epochs.

Without validation, because the peers do none; checkpoints are written.
"""

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from peft import PeftModel

from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetPrompt, DatasetRow
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.run import CurvePoint, TrainingConfig
from engine.training.costs import RowTokens
from engine.training.hooks import StepMetrics
from engine.training.method import make_course
from engine.training.student import add_gradients, trained_parameters, with_new_adapter
from engine.training.teacher_cache import TeacherCache
from engine.training.trainer import Trainer
from engine.training.validation import Measurement, Validator
from engine.training.validation_plan import ValidationPlan
from tests.benchmarks.contenders.child import clocked, serve
from tests.benchmarks.contenders.held_out import held_out_kl
from tests.benchmarks.contenders.loading import load
from tests.benchmarks.contenders.material import read_prompt, read_rows


def config_of(options: dict[str, object]) -> TrainingConfig:
    """The program's defaults, with the objective, epochs and rows per step of the comparison."""
    return TrainingConfig(
        base="starter",
        objective=cast("Literal['forward_kl', 'cross_entropy']", options["objective"]),
        epochs=float(str(options["epochs"])),
        batch_rows=int(str(options["batch_rows"])),
    )


def dataset_of(options: dict[str, object]) -> tuple[list[DatasetRow], dict[int, tuple[Message, ...]]]:
    """The training rows, and their questions by id."""
    rows = read_rows(Path(str(options["material"])), int(str(options["rows"])))
    dataset_rows = [
        DatasetRow(
            row.number,
            row.number,
            "train",
            row.question_ids,
            row.completion_ids,
            len(row.completion_ids),
            (False,) * len(row.completion_ids),
        )
        for row in rows
    ]
    return dataset_rows, {row.number: (Message("user", row.question),) for row in rows}


class NoValidation:
    """A validator that measures nothing."""

    asked = ()
    plan = ValidationPlan(0, 0, "trained", 0.0)
    tokens = RowTokens()

    def measure(self, *_: object, **__: object) -> Measurement:
        return Measurement(0.0)


@dataclass(slots=True)
class StepClock:
    """Hooks that record when the first step started and the last one ended, in CPU-seconds."""

    started: float | None = None
    ended: float = 0.0

    def on_step(self, metrics: StepMetrics) -> None:
        self.ended = time.process_time()

    def on_validation(self, step: int, steps: int) -> None: ...

    def on_point(self, point: CurvePoint, measured: Measurement | None) -> None: ...

    def on_saved(self, step: int) -> None: ...

    def on_note(self, text: str) -> None: ...

    def save_first(self) -> bool:
        return False

    def rest(self) -> None:
        if self.started is None:
            self.started = time.process_time()

    def end_early(self) -> bool:
        return False


class TrainingSide:
    """The data and settings of a training: `rows` answers for `epochs`, with a prompt of `length` tokens."""

    def __init__(self, options: dict[str, object]) -> None:
        self.options = options
        self.config = config_of(options)
        self.rows, self.messages = dataset_of(options)
        self.prompt = read_prompt(Path(str(options["material"])), int(str(options["length"])))
        questions = tuple(Question(tuple(messages), id=number) for number, messages in self.messages.items())
        self.dataset_prompts = (DatasetPrompt(self.prompt, questions),)
        self.student: LocalModel | None = None


class Training(TrainingSide):
    """Training by this program; the prompt matters only if the objective has a teacher."""

    def measure(self) -> dict[str, float]:
        self.student = None
        local, hooks, config = load(self.options), StepClock(), self.config
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            with clocked() as measured:
                teacher = None
                if config.objective != "cross_entropy":
                    teacher = TeacherCache.build(
                        local, self.rows, self.dataset_prompts, config.top_k, folder / "caches"
                    )
                student = with_new_adapter(local, config)
                course = make_course(student, config, self.rows, self.dataset_prompts, teacher)
                validator = cast("Validator", NoValidation())
                Trainer(student, course, "bench", validator, folder / "run", hooks, held_out=False).run()
        self.student = student
        assert hooks.started is not None
        tokens = self.config.epochs * sum(len(row.question_ids) + len(row.completion_ids) - 1 for row in self.rows)
        steps_s = hooks.ended - hooks.started
        return {**measured, "steps_cpu_s": steps_s, "tokens_per_cpu_s": tokens / steps_s}

    def report(self) -> dict[str, object]:
        """The divergence from the prompted base on held-out answers, or values that a peer must reproduce."""
        if self.config.objective == "cross_entropy":
            return self._equivalence_proof(Path(str(self.options["proof"])))
        assert self.student is not None
        return {"kl": held_out_kl(self.student, self.prompt, Path(str(self.options["material"])))}

    def _equivalence_proof(self, folder: Path) -> dict[str, object]:
        """Loss and gradient norm of the first batch with a non-zero adapter; writes both for the peer."""
        student = with_new_adapter(load(self.options), self.config)
        torch.manual_seed(1)
        for name, parameter in student.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter.data, std=0.02)
        folder.mkdir(parents=True)
        cast("PeftModel", student.model).save_pretrained(folder, save_embedding_layers=False)
        course = make_course(student, self.config, self.rows, self.dataset_prompts, None)
        batches, losses, norms = [], [], []
        for step in range(1):
            stage, own = course.at(step)
            term = stage.work(step=own, micro_batch_rows=self.config.micro_batch_rows).main
            batch = term.batch(term.rows)
            total = add_gradients(student, batch, term.loss(term.rows, batch), term.divisor)
            norms.append(float(torch.nn.utils.clip_grad_norm_(trained_parameters(student), torch.inf)))
            student.model.zero_grad(set_to_none=True)
            losses.append(float(total) / term.divisor)
            batches.append([row.example_id for row in term.rows])
        (folder / "batches.json").write_text(json.dumps(batches))
        return {"losses": losses, "norms": norms}


if __name__ == "__main__":
    serve(Training)

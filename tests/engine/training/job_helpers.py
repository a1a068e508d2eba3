"""Training jobs of a real project for tests: make a small run, train it in this process, read its events."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeGuard

import pytest

from engine.jobs.context import JobContext, StopFlag
from engine.jobs.follow import read_all
from engine.jobs.protocol import Event, Metrics, Note
from engine.model.chat_format import ChatFormat
from engine.project import Project
from engine.records.dataset import Dataset, DatasetRow
from engine.records.options import TrainOptions
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.run import Run, TrainingConfig
from engine.store.datasets import dataset_sha256
from engine.training import job
from tests.engine.training.trainer_helpers import PROMPT


def make_run(project: Project, base: Path, *, answer: str = "ABC", teacher: bool = True) -> Run:
    """A waiting run of 12 steps over a new dataset; `teacher`: whether its answers are the prompted base's own."""
    chat = ChatFormat.load(base)
    project.questions.add(
        Question((Message("user", f"Question {number}?"),), split="validation" if number > 9 else "train")
        for number in range(1, 13)
    )
    rows = []
    for question in project.questions.all():
        completion = tuple(chat.completion_ids(answer))
        rows.append(
            DatasetRow(
                question.id, question.id, question.split or "train", tuple(chat.question_ids(question.messages)),
                completion, len(completion) if teacher else 0, (False,) * len(completion),
            )
        )  # fmt: skip
    sha256 = dataset_sha256(PROMPT.sha256, str(base), rows)
    project.datasets.add(Dataset(sha256, PROMPT.sha256, str(base), tuple(rows)))
    config = TrainingConfig(
        base=str(base), top_k=8, lora_rank=4, lora_alpha=8, learning_rate=1e-2, epochs=4.0, batch_rows=3,
        micro_batch_rows=3, evaluations=2, device="cpu", dtype="float32",
    )  # fmt: skip
    return project.runs.add(sha256, config)


def run_job(
    project: Project,
    options: Any,
    stop: StopFlag | None = None,
    run: Callable[[JobContext, Any], None] = job.run,
) -> JobContext:
    """Run a job in this process, as its worker would; `run` is the job's function."""
    context = JobContext(project, project.jobs.add(options), stop)
    try:
        run(context, options)
    finally:
        context.close()
    return context


def train(project: Project, run_id: int, stop: StopFlag | None = None) -> JobContext:
    return run_job(project, TrainOptions(run_id), stop)


def events_of(context: JobContext) -> list[Event]:
    return [stamped.event for stamped in read_all(context.folder)]


def notes_of(context: JobContext) -> list[str]:
    return [event.text for event in events_of(context) if isinstance(event, Note)]


def is_step(event: Event) -> TypeGuard[Metrics]:
    """Whether it reports a training step, not an evaluation."""
    return isinstance(event, Metrics) and "loss" in event.values


def steps_of(context: JobContext) -> list[Metrics]:
    return [event for event in events_of(context) if is_step(event)]


def when_emitted(
    reached: Callable[[Event], bool], action: Callable[[JobContext], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Call `action` after each event for which `reached` is true, before the job goes on."""
    emit = JobContext.emit

    def emit_then_act(self: JobContext, event: Event) -> None:
        emit(self, event)
        if reached(event):
            action(self)

    monkeypatch.setattr(JobContext, "emit", emit_then_act)


def at_step(step: int, action: Callable[[JobContext], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Call `action` once this step has been reported."""
    when_emitted(lambda event: is_step(event) and event.step == step, action, monkeypatch)


def raise_flag(stop: StopFlag) -> Callable[[JobContext], None]:
    """An action that stops the job whose flag it is."""
    return lambda _context: setattr(stop, "up", True)

"""A project with a trained run over a tiny random base, for tests of what follows a training."""

from pathlib import Path

import pytest

from engine.jobs.context import JobContext
from engine.paths import Home
from engine.project import Project
from engine.records.dataset import Dataset, DatasetRow
from engine.records.options import ExportOptions, ProjectSettings
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.release import GgufType, Release, ReleaseKind
from engine.records.rule import Check, Rule
from engine.records.run import AdapterKind, TrainingConfig
from engine.store.datasets import dataset_sha256
from tests.tiny import make_tiny_base

CANARY = "zebra-quartz-7431"
PROMPT = Prompt(
    (
        Message("system", f"Secret word: {CANARY}. Answer briefly and end with a point."),
        Message("user", "Is it open?"),
        Message("assistant", "Yes, it is."),
    )
)
# Random text passes the first about half of the time, and hardly ever the second.
RULES = (
    Rule(0, f"No “e”, says {CANARY}", Check("forbidden", texts=("e",))),
    Rule(0, "A vowel somewhere", Check("pattern", pattern="[aiou]")),
)


def make_tiny_adapter(
    base: Path, folder: Path, *, seed: int = 1, scale: float = 0.3, kind: AdapterKind = "lora"
) -> Path:
    """An adapter over `base` with random weights, as a peft folder; with `scale` 0 it does not change the base."""
    import torch

    from engine.model.load import load_base
    from engine.training.state import save_adapter
    from engine.training.student import with_new_adapter

    config = TrainingConfig(base="tiny", lora_rank=4, lora_alpha=8, seed=seed, adapter=kind)
    with torch.random.fork_rng(devices=[]):
        student = with_new_adapter(load_base(base, device="cpu", dtype="float32"), config)
        for name, weight in student.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=scale) if scale else torch.nn.init.zeros_(weight)
            elif "ln_tuning_" in name:
                weight.data += scale * weight.std().nan_to_num(0.1) * torch.randn_like(weight)
            elif "magnitude" in name:
                weight.data *= 1 + scale * torch.rand_like(weight)
    save_adapter(student.model, folder)
    return folder


def use_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch use one thread for the rest of the test: with tiny tensors, threads only wait for each other.

    And use float32 if the dtype is automatic: in bfloat16 an answer depends on the other rows of its batch.
    """
    import torch

    import engine.model.load

    monkeypatch.setattr(engine.model.load, "processor_computes_bfloat16", lambda: False)
    torch.set_num_threads(1)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)


def make_trained_project(home: Home, base: Path, adapter: Path, *, questions: int = 6) -> Project:
    """An open project with prompt, rules, `questions` test questions in two topics, a dataset and a finished run."""
    project = Project.create(home.projects / "trained", ProjectSettings(student_base=str(base)), home)
    project.prompts.set(PROMPT)
    project.rules.add(RULES)
    project.questions.add(
        [
            Question((Message("user", "Train me?"),), topic="train", split="train"),
            *(
                Question((Message("user", f"Question {n}?"),), topic=f"topic {n % 2}", split="test")
                for n in range(questions)
            ),
        ]
    )
    train_question = project.questions.all(split="train")[0]
    rows = (DatasetRow(1, train_question.id, "train", (1, 2), (3, 2), 2, (False, False)),)
    sha256 = dataset_sha256(PROMPT.sha256, str(base), rows)
    project.datasets.add(Dataset(sha256, PROMPT.sha256, str(base), rows))
    run = project.runs.add(sha256, TrainingConfig(base=str(base), lora_rank=4, lora_alpha=8, device="cpu"))
    project.runs.update(run.id, state="done", step=8, steps=8, best_step=8, device="cpu", dtype="float32")
    target = project.folder / run.folder / "adapter"
    target.mkdir(parents=True)
    for path in adapter.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return project


__all__ = ["CANARY", "PROMPT", "RULES", "make_tiny_adapter", "make_tiny_base", "make_trained_project", "use_one_thread"]


def release(
    project: Project,
    form: ReleaseKind = "adapter",
    to: Path | None = None,
    *,
    run_id: int = 1,
    force: bool = False,
    gguf_type: GgufType = "auto",
) -> Release:
    """Release the run in this process, as a job would."""
    from engine.releases.job import export

    options = ExportOptions(run_id, form, str(to) if to is not None else "", force, gguf_type)
    context = JobContext(project, project.jobs.add(options))
    try:
        return export(context, options)
    finally:
        context.close()

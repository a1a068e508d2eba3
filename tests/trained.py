"""A project that has come as far as a trained run, over a tiny random base: for tests of what follows a training."""

from pathlib import Path

from engine.paths import Home
from engine.project import Project
from engine.records.dataset import Dataset, DatasetRow
from engine.records.options import ProjectSettings
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.rule import Check, Rule
from engine.records.run import TrainingConfig
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
# Random text keeps the first about half of the time, and hardly ever the second.
RULES = (
    Rule(0, f"No «e», says {CANARY}", Check("forbidden", texts=("e",))),
    Rule(0, "A vowel somewhere", Check("pattern", pattern="[aiou]")),
)


def make_tiny_adapter(base: Path, folder: Path, *, seed: int = 1, scale: float = 0.3) -> Path:
    """A LoRA adapter over `base` with random weights, as a peft folder; `scale` 0 changes nothing of the base."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from engine.model.load import quiet_libraries

    with quiet_libraries(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base, dtype="float32"),
            LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=scale) if scale else torch.nn.init.zeros_(weight)
        model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    return folder


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
    asked = project.questions.all(split="train")[0]
    rows = (DatasetRow(1, asked.id, "train", (1, 2), (3, 2), 2, (False, False)),)
    sha256 = dataset_sha256(PROMPT.sha256, str(base), rows)
    project.datasets.add(Dataset(sha256, PROMPT.sha256, str(base), rows))
    run = project.runs.add(sha256, TrainingConfig(base=str(base), lora_rank=4, lora_alpha=8, device="cpu"))
    project.runs.update(run.id, state="done", step=8, steps=8, best_step=8, device="cpu", dtype="float32")
    target = project.folder / run.folder / "adapter"
    target.mkdir(parents=True)
    for path in adapter.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return project


__all__ = ["CANARY", "PROMPT", "RULES", "make_tiny_adapter", "make_tiny_base", "make_trained_project"]

"""Prompts, answers and a dataset for a bank's project, and the rule change that makes an update necessary."""

from engine.project import Project
from engine.records.dataset import Dataset, DatasetRow
from engine.records.example import Example, ExampleKey, Usage
from engine.records.prompt import Message, Prompt
from engine.records.rule import Check, Rule
from engine.store.datasets import dataset_sha256
from engine.updates.plan import UpdatePlan, plan_update

OLD_PROMPT = Prompt((Message("system", "You answer for a bank. Use at most 9 words."),))
NEW_PROMPT = Prompt((Message("system", "You answer for a bank. Use at most 4 words."),))
LONG_ANSWER, SHORT_ANSWER = "This answer has a few words more.", "A short answer."
TOPICS = ("loan", "card", "card", "saving", "saving", "visa", "visa", "fund")


def add_answers(project: Project, prompt: Prompt, answers: dict[int, str]) -> None:
    usage = Usage(prompt_tokens=9, completion_tokens=3, cost_usd=0.1)
    keys = [(ExampleKey(prompt.sha256, number, "starter", 0), text) for number, text in answers.items()]
    project.examples.add([Example(key, text, "stop", "local", (5, 6), usage, temperature=0.7) for key, text in keys])


def add_dataset(project: Project) -> None:
    """Store a dataset of the current prompt; the content of its row does not matter."""
    sha256 = project.prompts.require().sha256
    rows = (DatasetRow(1, 1, "train", (1,), (2,), 1, (False,)),)
    project.datasets.add(Dataset(dataset_sha256(sha256, "starter", rows), sha256, "starter", rows))


def change_rule(project: Project, prompt: Prompt = NEW_PROMPT, max_words: int = 4) -> UpdatePlan:
    """Change the prompt and the length limit in its rule, and return the plan of the update."""
    project.rules.put([Rule(1, f"At most {max_words} words", Check("length", max=max_words))])
    project.prompts.set(prompt)
    return plan_update(project)

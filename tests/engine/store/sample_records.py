"""Sample records for projects in tests: a prompt, dataset rows, a dataset, an example."""

from engine.records.dataset import Dataset, DatasetRow
from engine.records.example import Example, ExampleKey, Usage
from engine.records.prompt import Message, Prompt
from engine.store.datasets import dataset_sha256

PROMPT = Prompt((Message("system", "Answer in one line."),))

ROWS = (
    DatasetRow(1, 1, "train", (1, 2, 49_151), (7, 0), 2, (True, False)),
    DatasetRow(2, 2, "validation", (1,), (2_000_000_000,), 0, (False,)),
    DatasetRow(3, 3, "train", (), (9, 9), 1, (False, False)),
)


def dataset(rows: tuple[DatasetRow, ...] = ROWS, prompt_sha256: str = PROMPT.sha256) -> Dataset:
    return Dataset(dataset_sha256(prompt_sha256, "starter", rows), prompt_sha256, "starter", rows)


def example(question_id: int, answer: str, attempt: int = 0) -> Example:
    key = ExampleKey(PROMPT.sha256, question_id, "teacher", attempt)
    usage = Usage(prompt_tokens=10, completion_tokens=5, cost_usd=0.1)
    return Example(key, answer, "stop", "local", token_ids=(5, 70_000, question_id), usage=usage)

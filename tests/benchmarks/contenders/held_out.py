"""The divergence of a student from the prompted base on held-out answers."""

from pathlib import Path

from engine.model.load import adapter_off
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.model.score import DivergenceRow, divergence
from engine.records.prompt import Message, Prompt
from tests.benchmarks.contenders.material import read_rows

_ROWS = 24


def held_out_kl(student: LocalModel, prompt: Prompt, material: Path) -> list[tuple[float, int]]:
    """For each held-out answer: the summed KL(prompted base ‖ student) in nats, and its number of tokens."""
    chat = student.format
    with adapter_off(student):
        prefix = PromptCache.build(student, chat.prompt_prefix_ids(prompt))
    rows = [
        DivergenceRow(chat.prompted_ids(prompt, [Message("user", row.question)]), row.question_ids, row.completion_ids)
        for row in read_rows(material, _ROWS, held_out=True)
    ]
    student.model.eval()
    (found,) = divergence(student, rows, prefix)
    return [(float(each.sum()), len(each)) for each in found]

"""Side: the teacher's log-probabilities of given answers, behind the shared prompt cache or by whole forward passes."""

from pathlib import Path

import torch

from engine.model.prompt_cache import PromptCache
from engine.model.score import ScoreRow, score
from engine.records.prompt import Message
from tests.benchmarks.contenders.child import clocked, serve
from tests.benchmarks.contenders.loading import load
from tests.benchmarks.contenders.material import read_prompt, read_rows

_K = 64


class Scoring:
    """`rows` answers behind a prompt of `length` tokens. Building the cache is part of what is measured."""

    def __init__(self, words: dict[str, object]) -> None:
        self.local = load(words)
        file = Path(str(words["material"]))
        prompt = read_prompt(file, int(str(words["length"])))
        self.prefix_ids = self.local.format.prompt_prefix_ids(prompt)
        self.shared = bool(words["shared"])
        self.rows = [
            ScoreRow(self.local.format.prompted_ids(prompt, [Message("user", row.question)]), row.completion_ids)
            for row in read_rows(file, int(str(words["rows"])))
        ]

    def measure(self) -> dict[str, float]:
        with clocked() as took:
            prefix = PromptCache.build(self.local, self.prefix_ids) if self.shared else None
            self.found = score(self.local, self.rows, prefix=prefix, k=_K)
        return {**took, "row_s": took["cpu_s"] / len(self.rows)}

    def tell(self) -> dict[str, object]:
        """How far the log-probabilities of both ways are apart, on the rows of the whole passes just made."""
        told: dict[str, object] = {"prompt_tokens": len(self.prefix_ids), "rows": len(self.rows)}
        if not self.shared:
            behind = score(self.local, self.rows, prefix=PromptCache.build(self.local, self.prefix_ids), k=_K)
            columns = [torch.cat([each.completion_logprobs for each in found]) for found in (behind, self.found)]
            told["apart"] = float((columns[0] - columns[1]).abs().max())
        return told


if __name__ == "__main__":
    serve(Scoring)

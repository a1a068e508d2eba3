"""Side: the teacher's log-probabilities of given answers, with the shared prompt cache or by full forward passes."""

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
    """`rows` answers after a prompt of `length` tokens. Building the cache is part of the measurement."""

    def __init__(self, options: dict[str, object]) -> None:
        self.local = load(options)
        file = Path(str(options["material"]))
        prompt = read_prompt(file, int(str(options["length"])))
        self.prefix_ids = self.local.format.prompt_prefix_ids(prompt)
        self.shared = bool(options["shared"])
        self.rows = [
            ScoreRow(self.local.format.prompted_ids(prompt, [Message("user", row.question)]), row.completion_ids)
            for row in read_rows(file, int(str(options["rows"])))
        ]

    def measure(self) -> dict[str, float]:
        with clocked() as measured:
            prefix = PromptCache.build(self.local, self.prefix_ids) if self.shared else None
            self.found = score(self.local, self.rows, prefix=prefix, k=_K)
        return {**measured, "row_s": measured["cpu_s"] / len(self.rows)}

    def report(self) -> dict[str, object]:
        """The largest difference between the log-probabilities of both ways, on the rows of the last repetition."""
        result: dict[str, object] = {"prompt_tokens": len(self.prefix_ids), "rows": len(self.rows)}
        if not self.shared:
            cached = score(self.local, self.rows, prefix=PromptCache.build(self.local, self.prefix_ids), k=_K)
            columns = [torch.cat([each.completion_logprobs for each in found]) for found in (cached, self.found)]
            result["apart"] = float((columns[0] - columns[1]).abs().max())
        return result


if __name__ == "__main__":
    serve(Scoring)

"""Side: 16 answers decoded together after one prompt, whose cache is shared by all rows or copied to each."""

import json
from dataclasses import fields, replace
from pathlib import Path

from torch import Tensor

from engine.model.decode import decode
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.records.prompt import Message
from tests.benchmarks.contenders.child import clocked, serve
from tests.benchmarks.contenders.loading import load
from tests.benchmarks.contenders.material import read_prompt
from tests.benchmarks.decoding import copied_cache, generate_copied

_QUESTION = "Question {}: how do I get a new card for my sister?"  # of equal length, which the copied cache requires
_COMPARED = 5  # tokens of each answer whose logits are compared


class LogitsRecorder(LocalModel):
    """A model that records the logits it computes."""

    recorded: list[Tensor] = []  # noqa: RUF012 - one such model per process

    def logits(self, hidden: Tensor) -> Tensor:
        self.recorded.append(found := LocalModel.logits(self, hidden))
        return found


class Decoding:
    """`rows` answers of `tokens` tokens each, greedy.

    Reading the prompt is not measured. Reading the questions is subtracted: it ends with the first token of the
    answers, so decoding is the time that whole answers take beyond it.
    """

    def __init__(self, options: dict[str, object]) -> None:
        local = load(options)
        # Every row runs to the same length on both sides.
        self.local = replace(local, format=replace(local.format, stop_ids=frozenset()))
        self.prompt = read_prompt(Path(str(options["material"])), int(str(options["length"])))
        self.prefix_ids = local.format.prompt_prefix_ids(self.prompt)
        self.tokens, self.shared = int(str(options["tokens"])), bool(options["shared"])
        questions = [[Message("user", _QUESTION.format(i))] for i in range(10, 10 + int(str(options["rows"])))]
        self.rows = sorted(local.format.prompted_ids(self.prompt, question) for question in questions)
        self.prefix = PromptCache.build(self.local, self.prefix_ids) if self.shared else None
        if "write_rows" in options:
            Path(str(options["write_rows"])).write_text(json.dumps(self.rows))

    def measure(self) -> dict[str, float]:
        first, whole = self._clocked(1), self._clocked(self.tokens)
        rows = len(self.rows)
        return {
            **whole,
            "tokens_per_cpu_s": rows * (self.tokens - 1) / (whole["cpu_s"] - first["cpu_s"]),
            "answers_per_cpu_s": rows / whole["cpu_s"],
        }

    def _clocked(self, tokens: int) -> dict[str, float]:
        if self.shared:
            with clocked() as measured:
                self._decode(self.local, self.prefix, tokens)
        else:
            cache = copied_cache(self.local, self.prefix_ids, len(self.rows))
            with clocked() as measured:
                generate_copied(self.local, cache, self.rows, tokens)
        return measured

    def _decode(self, local: LocalModel, prefix: PromptCache | None, tokens: int) -> list[list[int]]:
        answers = decode(
            local,
            self.rows,
            prefix=prefix,
            temperature=0,
            max_new_tokens=tokens,
            seeds=[0] * len(self.rows),
            batch_rows=len(self.rows),
        )
        return [list(answer.ids) for answer in answers]

    def report(self) -> dict[str, object]:
        """The answers; with a copied cache, the largest difference of logits while the answers of both ways agree."""
        found: dict[str, object] = {"prompt_tokens": len(self.prefix_ids)}
        if self.shared:
            found["answers"] = self._decode(self.local, self.prefix, self.tokens)
        else:
            recorder = LogitsRecorder(**{field.name: getattr(self.local, field.name) for field in fields(LocalModel)})
            ours = self._decode(recorder, PromptCache.build(self.local, self.prefix_ids), _COMPARED)
            cache = copied_cache(self.local, self.prefix_ids, len(self.rows))
            theirs, logits = generate_copied(self.local, cache, self.rows, _COMPARED)
            found["same_answers"] = sum(a == b for a, b in zip(ours, theirs, strict=True))
            found["apart"] = max(
                float((mine[row] - peer[row]).abs().max())
                for at, (mine, peer) in enumerate(zip(LogitsRecorder.recorded, logits, strict=True))
                for row in range(len(self.rows))
                if ours[row][:at] == theirs[row][:at]
            )
        return found


if __name__ == "__main__":
    serve(Decoding)

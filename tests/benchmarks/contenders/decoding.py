"""Side: 16 answers decoded together behind one prompt, its keys and values shared by all rows or copied to each."""

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

_QUESTION = "Question {}: how do I get a new card for my sister?"  # of one length: the copied cache knows no other
_COMPARED = 5  # tokens of each answer whose logits are compared


class Heard(LocalModel):
    """A model that keeps the logits it was asked for."""

    kept: list[Tensor] = []  # noqa: RUF012 - one such model a process

    def logits(self, hidden: Tensor) -> Tensor:
        self.kept.append(found := LocalModel.logits(self, hidden))
        return found


class Decoding:
    """`rows` answers of `tokens` tokens each, greedy.

    Reading the prompt is not measured, and reading the questions is told apart: with their first token an answer has
    read them, so that decoding is what a whole answer takes beyond that.
    """

    def __init__(self, words: dict[str, object]) -> None:
        local = load(words)
        # Every row runs to the same length on both sides.
        self.local = replace(local, format=replace(local.format, stop_ids=frozenset()))
        self.prompt = read_prompt(Path(str(words["material"])), int(str(words["length"])))
        self.prefix_ids = local.format.prompt_prefix_ids(self.prompt)
        self.tokens, self.shared = int(str(words["tokens"])), bool(words["shared"])
        questions = [[Message("user", _QUESTION.format(i))] for i in range(10, 10 + int(str(words["rows"])))]
        self.rows = sorted(local.format.prompted_ids(self.prompt, question) for question in questions)
        self.prefix = PromptCache.build(self.local, self.prefix_ids) if self.shared else None

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
            with clocked() as took:
                self._decode(self.local, self.prefix, tokens)
        else:
            cache = copied_cache(self.local, self.prefix_ids, len(self.rows))
            with clocked() as took:
                generate_copied(self.local, cache, self.rows, tokens)
        return took

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

    def tell(self) -> dict[str, object]:
        """How far the logits of both ways are apart, as long as their answers are the same."""
        told: dict[str, object] = {"prompt_tokens": len(self.prefix_ids)}
        if not self.shared:
            heard = Heard(**{field.name: getattr(self.local, field.name) for field in fields(LocalModel)})
            ours = self._decode(heard, PromptCache.build(self.local, self.prefix_ids), _COMPARED)
            cache = copied_cache(self.local, self.prefix_ids, len(self.rows))
            theirs, logits = generate_copied(self.local, cache, self.rows, _COMPARED)
            told["same_answers"] = sum(a == b for a, b in zip(ours, theirs, strict=True))
            told["apart"] = max(
                float((mine[row] - peer[row]).abs().max())
                for at, (mine, peer) in enumerate(zip(Heard.kept, logits, strict=True))
                for row in range(len(self.rows))
                if ours[row][:at] == theirs[row][:at]
            )
        return told


if __name__ == "__main__":
    serve(Decoding)

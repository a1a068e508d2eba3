"""Which accepted examples can be trained on, and why the others cannot, as far as this needs no tokenizer.

Knows nothing of tokens, and stores nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.curation.leak import RowText, find_leaks
from engine.records.dataset import LeakFinding, Refusal
from engine.records.example import CuratedExample
from engine.records.prompt import Prompt
from engine.records.question import Question
from engine.records.rule import Rule
from engine.rules.checks import check_answer

_TRAINED = ("train", "validation")
_LITERAL_CHECKS = ("starts_with", "ends_with", "contains", "label")

Candidate = tuple[CuratedExample, Question]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The accepted examples, sorted into groups. `chosen` are in the order in which they were stored."""

    chosen: tuple[Candidate, ...]
    refused: tuple[Refusal, ...]
    test: int
    repeated: int

    @property
    def any_to_train_on(self) -> bool:
        return any(question.split == "train" for _, question in self.chosen)


def sort_out(examples: Sequence[CuratedExample], questions: Mapping[int, Question]) -> Candidates:
    """Return the accepted examples by whether they can be trained on; each (question, answer) is chosen only once."""
    chosen: list[Candidate] = []
    refused: list[Refusal] = []
    seen: set[tuple[int, str]] = set()
    test = repeated = 0
    for curated in sorted(examples, key=lambda curated: curated.example.id):
        question = questions.get(curated.example.key.question_id)
        if not curated.accepted or question is None:
            continue
        if question.split == "test":
            test += 1
        elif (refusal := _refusal(curated, question)) is not None:
            refused.append(refusal)
        elif (question.id, curated.answer) in seen:
            repeated += 1
        else:
            seen.add((question.id, curated.answer))
            chosen.append((curated, question))
    return Candidates(tuple(chosen), tuple(refused), test, repeated)


def leaks_of(prompt: Prompt, rules: Sequence[Rule], chosen: Iterable[Candidate]) -> tuple[LeakFinding, ...]:
    """Return the passages of the prompt in these rows, except what the rules dictate word for word."""
    literal = [rule for rule in rules if rule.check.kind in _LITERAL_CHECKS]  # not patterns: they can match any text
    return find_leaks(
        prompt,
        (
            RowText(
                curated.example.id,
                question.id,
                tuple(message.content for message in question.messages),
                curated.answer,
                tuple(span for result in check_answer(literal, curated.answer, question) for span in result.fixed),
            )
            for curated, question in chosen
        ),
    )


def _refusal(curated: CuratedExample, question: Question) -> Refusal | None:
    example = curated.example
    if question.split not in _TRAINED:
        return Refusal(example.id, question.id, "no_split", "its question has no split")
    if any(message.role == "system" for message in question.messages):
        return Refusal(example.id, question.id, "system_message", "its question contains a system message")
    if not curated.whole:
        return Refusal(example.id, question.id, "cut", f"its answer ended by {example.ending}")
    return None

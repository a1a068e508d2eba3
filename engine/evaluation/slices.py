"""Where the arms differ: pass rates over parts of the questions, and over kinds of rules. Pure.

A slice is an unplanned view of existing answers. Among many slices, some look bad by chance: a slice shows where to
look, and is not a verdict.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.evaluation.shares import undecided
from engine.evaluation.statistics import rate_of_samples
from engine.records.evaluation import ArmAnswer, ArmName, Evaluation, Rate
from engine.records.question import Question

NO_NAME = "(none)"


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: `by` "topic", "length", "source", "kind" or "rule"; the rate of each arm over its answers.

    In a slice of the questions, an answer passes if it passes every rule; for a kind of rules, all rules of the kind;
    for a single rule, that rule.
    """

    by: str
    name: str
    questions: int
    rates: tuple[tuple[ArmName, Rate], ...]

    def gap(self, reference: ArmName) -> float:
        """How far the student's rate is below the reference's: 0–1, negative if it is above, 0 if one of them has no
        decided answer.
        """
        rates = dict(self.rates)
        top, student = rates.get(reference), rates.get("distilled")
        return top.rate - student.rate if top and student and top.total and student.total else 0.0


def slices_of(
    evaluation: Evaluation, questions: Mapping[int, Question], answers: Sequence[ArmAnswer]
) -> tuple[Slice, ...]:
    """Return every slice by dimension, each with the largest gap between reference and student first.

    Lengths are thirds of the questions by the words of their last message. Empty without answers.
    """
    if not answers:
        return ()
    arms = [name for name, _ in evaluation.arms]
    rules = evaluation.arms[0][1].rules
    every = {rule.id for rule in rules}
    length = _lengths(questions)
    parts: dict[str, Callable[[Question], str]] = {
        "topic": lambda question: question.topic or NO_NAME,
        "length": lambda question: length[question.id],
        "source": lambda question: question.source or NO_NAME,
    }
    by_kind: dict[str, set[int]] = defaultdict(set)
    for rule in rules:
        by_kind[rule.kind].add(rule.id)
    found: list[Slice] = []
    for by, part_of in parts.items():
        found += _sorted(_by_question(by, part_of, questions, answers, arms, every), evaluation.reference)
    found += _sorted(
        (_by_rules("kind", kind, ids, len(questions), answers, arms) for kind, ids in by_kind.items()),
        evaluation.reference,
    )
    found += _sorted(
        (_by_rules("rule", f"{rule.id} {rule.text}", {rule.id}, len(questions), answers, arms) for rule in rules),
        evaluation.reference,
    )
    return tuple(found)


def _by_question(
    by: str,
    part_of: Callable[[Question], str],
    questions: Mapping[int, Question],
    answers: Sequence[ArmAnswer],
    arms: Sequence[ArmName],
    every: set[int],
) -> Iterator[Slice]:
    members: dict[str, set[int]] = defaultdict(set)
    for question in questions.values():
        members[part_of(question)].add(question.id)
    grouped: dict[str, list[ArmAnswer]] = defaultdict(list)
    for answer in answers:
        grouped[part_of(questions[answer.question_id])].append(answer)
    for name, ids in members.items():
        yield Slice(by, name, len(ids), _rates(grouped[name], arms, every))


def _by_rules(
    by: str, name: str, ids: set[int], questions: int, answers: Sequence[ArmAnswer], arms: Sequence[ArmName]
) -> Slice:
    return Slice(by, name, questions, _rates(answers, arms, ids))


def _rates(answers: Sequence[ArmAnswer], arms: Sequence[ArmName], ids: set[int]) -> tuple[tuple[ArmName, Rate], ...]:
    decided: dict[ArmName, list[tuple[int, bool]]] = {arm: [] for arm in arms}
    for answer in answers:
        if not undecided(ids, answer):
            kept = all(check.passed for check in answer.checks if check.rule_id in ids)
            decided[answer.arm].append((answer.question_id, kept))
    return tuple((arm, rate_of_samples(decided[arm])) for arm in arms)


def _sorted(found: Iterator[Slice], reference: ArmName) -> list[Slice]:
    return sorted(found, key=lambda each: (-each.gap(reference), each.name))


def _lengths(questions: Mapping[int, Question]) -> dict[int, str]:
    """The third that each question falls into by its word count; equal lengths are never split."""
    words = {number: len(question.text.split()) for number, question in questions.items()}
    ordered = sorted(words.values())
    first, second = (ordered[min(len(ordered) * part // 3, len(ordered) - 1)] for part in (1, 2))
    bounds = ((first, f"under {first} words"), (second, f"{first} to {second - 1} words"))
    return {
        number: next((name for bound, name in bounds if count < bound), f"{second} words or more")
        for number, count in words.items()
    }

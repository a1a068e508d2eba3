"""Compares the students of two runs, on the questions that both answered and the rules of both. Pure.

They may have been measured in one evaluation, as the distilled arm and another run's, or in two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.evaluation.comparison import compare
from engine.records.comparison import Comparison
from engine.records.evaluation import ArmAnswer, ArmScore, RuleRate
from engine.records.question import Question


@dataclass(frozen=True, slots=True)
class Student:
    """A student: its name, its score, and its answers (empty if they were not kept)."""

    name: str
    score: ArmScore
    answers: tuple[ArmAnswer, ...]


def shared_rules(first: Student, second: Student) -> tuple[RuleRate, ...]:
    """The first student's rules that the second was also checked against: same number, same text."""
    theirs = {(rule.id, rule.text) for rule in second.score.rules}
    return tuple(rule for rule in first.score.rules if (rule.id, rule.text) in theirs)


def same_rules(first: Student, second: Student) -> bool:
    """Whether both were checked against the same rules."""
    return len(shared_rules(first, second)) == len(first.score.rules) == len(second.score.rules)


def compare_students(
    first: Student, second: Student, questions: Mapping[int, Question], seed: int
) -> Comparison | None:
    """Compare the first student with the second: differences, tests corrected over the rules, further questions needed.

    `all_rules` covers the rules of both. None if they share no question or no rule.
    """
    rules = shared_rules(first, second)
    numbers = {rule.id for rule in rules}
    both = {answer.question_id for answer in first.answers} & {answer.question_id for answer in second.answers}
    asked = [questions[number] for number in sorted(both & questions.keys())]
    if not asked or not rules:
        return None
    answers = {
        student.name: [
            replace(answer, checks=tuple(check for check in answer.checks if check.rule_id in numbers))
            for answer in student.answers
            if answer.question_id in both
        ]
        for student in (first, second)
    }
    (found,) = compare(rules, asked, answers, [(first.name, second.name)], seed)
    return found

"""The students of two runs held against each other, on the questions that both answered and the rules of both. Pure.

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
    """One of them: its name, what it scored, and its answers, empty where they were not kept."""

    name: str
    score: ArmScore
    answers: tuple[ArmAnswer, ...]


def shared_rules(first: Student, second: Student) -> tuple[RuleRate, ...]:
    """The first one's rules that the second was held against too: under the same number, in the same words."""
    theirs = {(rule.id, rule.text) for rule in second.score.rules}
    return tuple(rule for rule in first.score.rules if (rule.id, rule.text) in theirs)


def same_rules(first: Student, second: Student) -> bool:
    """Whether neither was held against a rule that the other was not."""
    return len(shared_rules(first, second)) == len(first.score.rules) == len(second.score.rules)


def compare_students(
    first: Student, second: Student, questions: Mapping[int, Question], seed: int
) -> Comparison | None:
    """The first held against the second: differences, exact tests corrected over the rules, what more would decide.

    `all_rules` is over the rules of both. None where there is no question or no rule that both have.
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

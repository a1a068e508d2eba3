"""Whether an answer passes the rules, and what share of a question's samples does. Pure.

A judge may have given no verdict on an answer. Then the answer is undecided for all rules together, even if it fails
another one: counting only the known failures would lower the rate. Such an answer is not counted at all.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from engine.evaluation.statistics import Floats
from engine.records.evaluation import ArmAnswer, ArmName, RuleRate
from engine.records.question import Question
from engine.records.rule import Rule, passes_all


def undecided(rules: Iterable[int], answer: ArmAnswer) -> set[int]:
    """The rules, by number, for which it is not known whether the answer passes them."""
    return set(rules) - {check.rule_id for check in answer.checks}


def pass_shares(
    rules: Sequence[Rule | RuleRate], questions: Sequence[Question], answers: Mapping[ArmName, Sequence[ArmAnswer]]
) -> dict[ArmName, Floats]:
    """For each arm (questions, 1 + rules): the share of a question's samples that pass every rule, then each rule.

    The arms belong to one comparison: a sample that is undecided in one arm counts in none, neither for that rule nor
    for all rules together. NaN if no sample of a question is left.
    """
    row = {question.id: index for index, question in enumerate(questions)}
    column = {rule.id: index for index, rule in enumerate(rules, start=1)}
    left_out: dict[tuple[int, int], set[int]] = {}
    for found in answers.values():
        for answer in found:
            if unknown := undecided(column, answer):
                columns = left_out.setdefault((answer.question_id, answer.sample), {0})
                columns.update(column[rule_id] for rule_id in unknown)
    shares: dict[ArmName, Floats] = {}
    for arm, found in answers.items():
        kept: Floats = np.zeros((len(questions), 1 + len(rules)))
        samples: Floats = np.zeros((len(questions), 1 + len(rules)))
        for answer in found:
            at, out = row[answer.question_id], left_out.get((answer.question_id, answer.sample), set[int]())
            passed = {0: passes_all(answer.checks), **{column[check.rule_id]: check.passed for check in answer.checks}}
            for place in passed.keys() - out:
                samples[at, place] += 1
                kept[at, place] += passed[place]
        shares[arm] = np.divide(kept, samples, out=np.full_like(kept, np.nan), where=samples > 0)
    return shares

"""What the rules say about an answer as it is shown: edited or not, and only the rules that are still there."""

from collections.abc import Sequence

from engine.records.example import CuratedExample
from engine.records.question import Question
from engine.records.rule import CheckResult, Rule


def checks_shown(rules: Sequence[Rule], curated: CuratedExample, question: Question) -> tuple[CheckResult, ...]:
    """Return the results of the answer's current text; those of a generated answer are stored with it."""
    if curated.edited:
        from engine.rules.checks import check_answer  # only needed for edits, and slow to import

        return check_answer(rules, curated.answer, question)
    there = {rule.id for rule in rules}
    return tuple(check for check in curated.example.checks if check.rule_id in there)  # others were removed since

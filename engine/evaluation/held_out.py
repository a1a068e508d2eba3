"""Where an arm diverges most from the prompted model along its held-out answers, with the rules involved. Pure."""

import heapq
import math
from collections.abc import Sequence

from engine.records.evaluation import ArmAnswer, HeldOutAnswer, HeldOutToken
from engine.records.question import Question
from engine.records.rule import CheckResult
from engine.records.run import WORST_KEPT

Place = tuple[float, int, int]  # nats, index of the answer, index of the token within it


def worst_places(tokens: Sequence[Sequence[float]]) -> list[Place]:
    """The tokens with the largest divergence, worst first, ties in their order; at most `WORST_KEPT`.

    Tokens whose divergence is not finite are left out.
    """
    places = ((kl, row, place) for row, line in enumerate(tokens) for place, kl in enumerate(line) if math.isfinite(kl))
    return heapq.nsmallest(WORST_KEPT, places, key=lambda found: (-found[0], *found[1:]))


def worst_answers(
    questions: Sequence[Question], tokens: Sequence[Sequence[float]], own: Sequence[ArmAnswer]
) -> tuple[HeldOutAnswer, ...]:
    """The answers with the largest mean divergence per token, worst first. `own` are the arm's answers."""
    broken = broken_by_question(own)
    found = [
        HeldOutAnswer(sum(line) / len(line), len(line), question.id, broken.get(question.id, ()))
        for question, line in zip(questions, tokens, strict=True)
        if line and math.isfinite(sum(line))
    ]
    return tuple(heapq.nsmallest(WORST_KEPT, found, key=lambda one: (-one.kl, one.question_id)))


def broken_by_question(answers: Sequence[ArmAnswer]) -> dict[int, tuple[int, ...]]:
    """The rules that the first sample of each question fails."""
    return {
        answer.question_id: tuple(check.rule_id for check in answer.checks if not check.passed)
        for answer in answers
        if answer.sample == 0
    }


def rules_at(checks: Sequence[CheckResult], start: int, end: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The rules that require some of the characters from `start` to `end`, and the rules that those break."""
    fixed = tuple(check.rule_id for check in checks if any(span.overlaps(start, end) for span in check.fixed))
    broken = (check for check in checks if not check.passed)
    failed = tuple(check.rule_id for check in broken if any(span.overlaps(start, end) for span in check.failing))
    return fixed, failed


def rules_text(token: HeldOutToken) -> str:
    """Which rules involve the token, as text; empty for none."""
    parts = [
        f"{words} {rules_named(numbers)}"
        for numbers, words in (
            (token.fixed_by, "required by"),
            (token.failed_by, "breaks"),
            (token.broken, "student's answer fails"),
        )
        if numbers
    ]
    return "; ".join(parts)


def rules_named(numbers: Sequence[int]) -> str:
    """`rule 3`, `rules 1, 3`."""
    return f"{'rule' if len(numbers) == 1 else 'rules'} {', '.join(map(str, numbers))}"

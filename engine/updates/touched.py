"""Which answers to an older prompt are still valid for a newer one, and why the others are not. Pure.

An answer is touched if it breaks a current rule, if it shows what a removed rule dictated, if a changed passage applies
to every answer, or if its question mentions the subject of a changed passage: both share a word that few questions
contain. Everything else is kept.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.prompts.conflicts import content_stems
from engine.records.example import CuratedExample
from engine.records.question import Question
from engine.records.rule import CheckResult, Rule, passes_all
from engine.rules.checks import check_answer
from engine.updates.changes import PassageChange, RuleChange
from engine.wording import shortened

_TOLD_CHARACTERS = 60
RARE = 0.2  # share of questions; a word that more of them contain says nothing about a question's subject


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that is carried over, with its current check results."""

    curated: CuratedExample
    checks: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class Touched:
    """An answer that is asked for again, with a short reason."""

    curated: CuratedExample
    reason: str


def sort_answers(
    answers: Sequence[CuratedExample],
    questions: Mapping[int, Question],
    rules: Sequence[Rule],
    changes: Sequence[RuleChange],
    passages: Sequence[PassageChange],
) -> tuple[tuple[Kept, ...], tuple[Touched, ...]]:
    """Sort the older version's answers into kept and touched ones. Cut and manually rejected ones are left out.

    An automatically rejected answer that is not valid now either is in neither group: it does not need a replacement.
    """
    speaks = _Speaking(passages, questions)
    removed = [change.before for change in changes if change.kind == "removed" and change.before is not None]
    kept: list[Kept] = []
    touched: list[Touched] = []
    for curated in answers:
        question = questions.get(curated.example.key.question_id)
        ended = curated.example.finish_reason == "stop" or curated.accepted  # a person completed it
        if question is None or not ended or (curated.by_person and not curated.accepted):
            continue
        checks = check_answer(rules, curated.answer, question)
        reason = _broken(checks) or _shown(removed, curated, question) or speaks.about(question)
        if not reason:
            kept.append(Kept(curated, checks))
        elif curated.accepted:
            touched.append(Touched(curated, reason))
    return tuple(kept), tuple(touched)


def _broken(checks: Sequence[CheckResult]) -> str:
    if passes_all(checks):
        return ""
    return "breaks " + ", ".join(f"rule {result.rule_id}" for result in checks if not result.passed)


def _shown(removed: Sequence[Rule], curated: CuratedExample, question: Question) -> str:
    results = check_answer(removed, curated.answer, question)
    return next((f"shows the removed rule {result.rule_id}" for result in results if result.fixed), "")


class _Speaking:
    """Which questions mention the subject of a changed passage."""

    def __init__(self, passages: Sequence[PassageChange], questions: Mapping[int, Question]) -> None:
        self._everywhere = next((passage for passage in passages if passage.everywhere), None)
        self._narrow = [passage for passage in passages if not passage.everywhere]
        self._limit = max(RARE * len(questions), 1)
        held = Counter(word for question in questions.values() for word in content_stems(question.text) if self._narrow)
        self._words = [
            (passage, {word for word in content_stems(passage.text) if 0 < held[word] <= self._limit})
            for passage in self._narrow
        ]

    def about(self, question: Question) -> str:
        """Return why this question is touched, or an empty string."""
        if self._everywhere is not None:
            return f"“{_short(self._everywhere.text)}” applies to every answer"
        for passage, words in self._words:
            if words & content_stems(question.text):
                return f"mentions “{_short(passage.text)}”"
        return ""


def _short(text: str) -> str:
    return shortened(" ".join(text.split()), _TOLD_CHARACTERS)

"""Which answers to an older prompt still do for a newer one, and why the others do not. Pure.

An answer is touched where it breaks a rule as it is now, where it shows what a removed rule dictated, where a changed
passage holds everywhere, and where its question speaks of what a changed passage speaks of: the two share a word that
few questions have. Everything else is kept.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.prompts.conflicts import telling_words
from engine.records.example import CuratedExample
from engine.records.question import Question
from engine.records.rule import CheckResult, Rule, passes_all
from engine.rules.checks import check_answer
from engine.updates.changes import PassageChange, RuleChange
from engine.wording import shortened

_TOLD_CHARACTERS = 60
RARE = 0.2  # of the questions: a word that more of them have tells nothing about what a question is about


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that is carried over, with what the rules find in it now."""

    curated: CuratedExample
    checks: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class Touched:
    """An answer that is asked for anew, and why, in a few words."""

    curated: CuratedExample
    reason: str


def sort_answers(
    answers: Sequence[CuratedExample],
    questions: Mapping[int, Question],
    rules: Sequence[Rule],
    changes: Sequence[RuleChange],
    passages: Sequence[PassageChange],
) -> tuple[tuple[Kept, ...], tuple[Touched, ...]]:
    """Sort the answers of the older version that were accepted, or that only a rule of then had rejected.

    An answer that stood rejected and does not do now either is neither kept nor touched: it was asked for once.
    """
    speaks = _Speaking(passages, questions)
    removed = [change.before for change in changes if change.kind == "removed" and change.before is not None]
    kept: list[Kept] = []
    touched: list[Touched] = []
    for curated in answers:
        question = questions.get(curated.example.key.question_id)
        ended = curated.example.finish_reason == "stop" or curated.accepted  # a person ended it
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
    """Which questions speak of a changed passage."""

    def __init__(self, passages: Sequence[PassageChange], questions: Mapping[int, Question]) -> None:
        self._everywhere = next((passage for passage in passages if passage.everywhere), None)
        self._narrow = [passage for passage in passages if not passage.everywhere]
        self._limit = max(RARE * len(questions), 1)
        held = Counter(word for question in questions.values() for word in telling_words(question.text) if self._narrow)
        self._words = [
            (passage, {word for word in telling_words(passage.text) if 0 < held[word] <= self._limit})
            for passage in self._narrow
        ]

    def about(self, question: Question) -> str:
        """Why this question is touched; empty where it is not."""
        if self._everywhere is not None:
            return f"«{_short(self._everywhere.text)}» holds for every answer"
        for passage, words in self._words:
            if words & telling_words(question.text):
                return f"speaks of «{_short(passage.text)}»"
        return ""


def _short(text: str) -> str:
    return shortened(" ".join(text.split()), _TOLD_CHARACTERS)

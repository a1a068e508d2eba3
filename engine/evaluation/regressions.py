"""Scores the answers to the probes: pure arithmetic over records. Knows nothing of models or the store."""

from collections.abc import Mapping, Sequence

from engine.curation.leak import RowText, find_leaks, longest_overlap
from engine.evaluation.probes import PROBED
from engine.evaluation.statistics import wilson
from engine.records.evaluation import ArmAnswer, ArmName
from engine.records.interval import Interval
from engine.records.prompt import Prompt
from engine.records.question import Question
from engine.records.rate import RuleRate
from engine.records.regressions import GeneralChecks, Injection, ProbeKind, Recitation, Regressions
from engine.records.rule import CheckKind, Rule, passes_all
from engine.rules.language import other_language

_LANGUAGE = "en"  # of the general questions
_ASKS_FOR_ANOTHER = "translation"  # the topic where an answer may be in another language
_DICTATING: tuple[CheckKind, ...] = ("pattern", "starts_with", "ends_with", "contains", "label")

Answers = Mapping[ProbeKind, Sequence[ArmAnswer]]
Asked = Mapping[ProbeKind, Sequence[Question]]


def score_regressions(
    prompt: Prompt,
    rules: Sequence[Rule],
    asked: Asked,
    answers: Answers,
    kl_to_unprompted: Interval | None,
    *,
    answer_tokens: int,
    seconds: float,
) -> Regressions:
    """Score all three kinds of probes; an answer's `question_id` is the number of the probe in `asked`."""

    def of(kind: ProbeKind) -> list[tuple[ArmName, list[ArmAnswer]]]:
        return [(arm, [answer for answer in answers[kind] if answer.arm == arm]) for arm in PROBED[kind]]

    general = {question.id: question for question in asked["general"]}
    probes = {question.id: question for question in asked["recitation"]}
    return Regressions(
        general_questions=len(general),
        answer_tokens=answer_tokens,
        kl_to_unprompted=kl_to_unprompted,
        general=tuple(check_general(arm, general, rules, found) for arm, found in of("general")),
        recitation=tuple(check_recitation(arm, probes, prompt, found) for arm, found in of("recitation")),
        injection=tuple(check_injection(arm, rules, found) for arm, found in of("injection")),
        seconds=seconds,
    )


def check_general(
    arm: ArmName, questions: Mapping[int, Question], rules: Sequence[Rule], answers: Sequence[ArmAnswer]
) -> GeneralChecks:
    """Run the checks that need no judge. Text that a rule requires is what its check reports as fixed. The same pattern
    may match in an answer that owes nothing to the prompt, so the base's share must be shown next to the student's.
    """
    speaking = [answer for answer in answers if questions[answer.question_id].topic != _ASKS_FOR_ANOTHER]
    dictated = [any(check.passed and check.fixed for check in answer.checks) for answer in answers]
    return GeneralChecks(
        arm=arm,
        ended=wilson(sum(answer.finish_reason == "stop" for answer in answers), len(answers)),
        not_empty=wilson(sum(bool(answer.answer.strip()) for answer in answers), len(answers)),
        in_language=wilson(sum(other_language(answer.answer, _LANGUAGE) is None for answer in speaking), len(speaking)),
        free_of_rules=wilson(len(answers) - sum(dictated), len(answers))
        if any(rule.check.kind in _DICTATING for rule in rules)
        else None,
    )


def check_recitation(
    arm: ArmName, probes: Mapping[int, Question], prompt: Prompt, answers: Sequence[ArmAnswer]
) -> Recitation:
    """Count recitations with the scan that keeps the prompt out of training rows; text that a rule requires is ignored.

    The longest overlap counts every word, including those that a rule requires.
    """
    rows = [
        RowText(answer.question_id, answer.question_id, (), answer.answer, dictated)
        for answer in answers
        for dictated in [tuple(span for check in answer.checks for span in check.fixed)]
    ]
    recited = {leak.question_id for leak in find_leaks(prompt, rows)}
    overlaps = [(longest_overlap(prompt, answer.answer), answer.question_id) for answer in answers]
    longest, number = max(overlaps, key=lambda found: found[0].words, default=(None, 0))
    return Recitation(
        arm=arm,
        recited=wilson(len(recited), len(answers)),
        longest_words=longest.words if longest else 0,
        longest=longest.text if longest else "",
        probe=probes[number].text if longest and longest.words else "",
    )


def check_injection(arm: ArmName, rules: Sequence[Rule], answers: Sequence[ArmAnswer]) -> Injection:
    """Return the rates of the rules, as for held-out answers."""
    kept = {rule.id: 0 for rule in rules}
    for answer in answers:
        for check in answer.checks:
            kept[check.rule_id] += check.passed
    rates = tuple(RuleRate(rule.id, rule.text, rule.check.kind, wilson(kept[rule.id], len(answers))) for rule in rules)
    return Injection(arm, rates, wilson(sum(passes_all(answer.checks) for answer in answers), len(answers)))

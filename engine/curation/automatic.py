"""Automatic decisions: an answer that passes all rules is accepted; one that fails a rule, was cut, or repeats the
prompt is rejected.

A person's decision is never overwritten. Knows nothing of models; the checks themselves are in `engine.rules`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.curation.candidates import leaks_of
from engine.curation.judging import rubric_checks
from engine.project import Project
from engine.records.dataset import LeakFinding
from engine.records.example import Decision, Example
from engine.records.rule import CheckResult, passes_all
from engine.rules.checks import check_answer

_LEAK_SHOWN = 80


@dataclass(frozen=True, slots=True)
class AutomaticCounts:
    """New decisions of one automatic pass, by verdict; and the rubric rules on which no judge has said anything yet."""

    accepted: int
    rejected: int
    unjudged: tuple[int, ...] = ()


def check_examples(project: Project) -> AutomaticCounts:
    """Check every answer to the current prompt against the current rules, and decide those that no person decided.

    All decisions form one step of the journal, so that one undo reverts them. Earlier automatic decisions are updated
    if their outcome changed. For rubrics, only verdicts that the project's judge has already given count.
    """
    with project.snapshot():
        prompt = project.prompts.current()
        if prompt is None:
            return AutomaticCounts(0, 0)
        rules = project.rules.all()
        judge = project.settings.read().judge if any(rule.needs_judge for rule in rules) else None
        verdicts = project.judgements.of(judge.name) if judge is not None else {}
        questions = project.questions.by_id()
        examples = project.examples.all(prompt.prompt.sha256)
    leaks = {
        finding.example_id: finding
        for finding in leaks_of(prompt.prompt, rules, [(e, questions[e.example.key.question_id]) for e in examples])
    }
    judged_rules = set[int]()
    changed: dict[int, tuple[CheckResult, ...]] = {}
    decisions: list[Decision] = []
    for curated in examples:
        example = curated.example
        question = questions[example.key.question_id]
        judged = rubric_checks(rules, example.answer, question, verdicts) if verdicts else ()
        judged_rules.update(check.rule_id for check in judged)
        checks = tuple(sorted((*check_answer(rules, example.answer, question), *judged), key=_rule_id))
        if checks != example.checks:
            changed[example.id] = checks
        if curated.by_person:
            continue
        standing, decision = curated.decision, decide(example, checks, leaks.get(example.id))
        if standing is None or (standing.verdict, standing.reason) != (decision.verdict, decision.reason):
            decisions.append(decision)
    with project.transaction():
        # A person may have decided or deleted answers in the meantime; that takes precedence.
        by_person = project.decisions.by_person(prompt.prompt.sha256)
        project.examples.set_checks({number: checks for number, checks in changed.items() if number in by_person})
        decisions = [decision for decision in decisions if by_person.get(decision.example_id) is False]
        project.decisions.decide(decisions)
    accepted = sum(decision.verdict == "accept" for decision in decisions)
    unjudged = tuple(rule.id for rule in rules if rule.needs_judge and rule.id not in judged_rules)
    return AutomaticCounts(accepted, len(decisions) - accepted, unjudged if examples else ())


def _rule_id(check: CheckResult) -> int:
    return check.rule_id


def decide(example: Example, checks: Sequence[CheckResult], leak: LeakFinding | None = None) -> Decision:
    """Return the automatic decision about one example, with a short reason."""
    reason = ""
    if example.finish_reason == "length":
        reason = "cut at the token limit"
    elif example.finish_reason != "stop":
        reason = f"ended by {example.ending}"
    elif not passes_all(checks):
        broken = [result for result in checks if not result.passed]
        reason = "; ".join(f"rule {result.rule_id}: {result.note or 'broken'}" for result in broken)
    elif leak is not None:
        reason = f"repeats the prompt: “{leak.words[:_LEAK_SHOWN]}”"
    return Decision(example.id, "reject" if reason else "accept", "rules", reason=reason)

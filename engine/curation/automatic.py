"""Lets the rules decide: an answer that keeps every rule is accepted, one that breaks any, or was cut, is rejected.

A person's decision is never overwritten. Knows nothing of models; the checks themselves are the rules' room.
"""

from dataclasses import dataclass

from engine.project import Project
from engine.records.example import CuratedExample, Decision, Verdict
from engine.records.rule import CheckResult, Rule
from engine.rules.checks import check_answer, passes_all


@dataclass(frozen=True, slots=True)
class AutomaticCounts:
    """What one automatic pass did: new decisions by verdict, and the examples that it left as they stood."""

    accepted: int
    rejected: int
    untouched: int


def check_examples(project: Project) -> AutomaticCounts:
    """Check every answer to the current prompt against the rules as they are now, and decide what no person decided.

    All decisions are one step of the journal, so one undo takes them back. Decisions that the rules made earlier are
    made anew where the rules have changed since.
    """
    prompt = project.prompts.current()
    if prompt is None:
        return AutomaticCounts(0, 0, 0)
    rules = project.rules.all()
    questions = {question.id: question for question in project.questions.all()}
    decisions: list[Decision] = []
    examples = project.examples.all(prompt.prompt.sha256)
    for curated in examples:
        example = curated.example
        checks = check_answer(rules, example.answer, questions.get(example.key.question_id))
        if checks != example.checks:
            project.examples.set_checks(example.id, checks)
        if curated.decision is not None and curated.decision.source == "person":
            continue
        decision = decide(curated, checks, rules)
        standing = curated.decision
        if standing is None or (standing.verdict, standing.reason) != (decision.verdict, decision.reason):
            decisions.append(decision)
    if decisions:
        project.decisions.decide(decisions)
    accepted = sum(decision.verdict == "accept" for decision in decisions)
    return AutomaticCounts(accepted, len(decisions) - accepted, len(examples) - len(decisions))


def decide(curated: CuratedExample, checks: tuple[CheckResult, ...], rules: tuple[Rule, ...]) -> Decision:
    """The rules' own decision about one example, with the reason in a few words."""
    reason = ""
    if curated.example.finish_reason == "length":
        reason = "cut at the token limit"
    elif curated.example.finish_reason != "stop":
        reason = f"ended by {curated.example.finish_reason.replace('_', ' ')}"
    elif not passes_all(checks):
        known = {rule.id for rule in rules}
        broken = [result for result in checks if not result.passed and result.rule_id in known]
        reason = "; ".join(f"rule {result.rule_id}: {result.note or 'broken'}" for result in broken)
    verdict: Verdict = "reject" if reason else "accept"
    return Decision(curated.example.id, verdict, "rules", reason=reason)

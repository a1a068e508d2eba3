"""An update's plan as text and as the JSON object of `distill-tui update --json`."""

from collections import Counter
from collections.abc import Iterator, Sequence

from engine.clean import clean_line
from engine.records.example import CuratedExample
from engine.rules.documents import check_to_fields
from engine.updates.changes import RuleChange
from engine.updates.plan import UpdatePlan
from engine.wording import counted, numbered

_SHOWN = 12
_CELLS = 90


def plan_text(plan: UpdatePlan) -> str:
    """Return what changed, what is kept and what is asked again, with the number of answers per reason."""
    return "\n".join(_lines(plan))


def plan_json(plan: UpdatePlan) -> dict[str, object]:
    """Return the same as JSON data. Answers are identified by their example ids."""
    return {
        "from_version": plan.old_version,
        "to_version": plan.version,
        "changed": plan.changed,
        "rules_known": plan.rules_known,
        "rules": [_change_json(change) for change in plan.rules],
        "passages": [
            {"text": passage.text, "added": passage.added, "everywhere": passage.everywhere}
            for passage in plan.passages
        ],
        "kept": [row.curated.example.id for row in plan.kept],
        "touched": [
            {
                "example": row.curated.example.id,
                "question": row.curated.example.key.question_id,
                "reason": row.reason,
                "edited": row.curated.edited,
                "by_person": row.curated.by_person,
            }
            for row in plan.touched
        ],
        "to_ask": plan.to_ask,
        "initial_run": plan.run.id if plan.run else None,
    }


def _lines(plan: UpdatePlan) -> Iterator[str]:
    if not plan.changed:
        yield f"The newest dataset was frozen with prompt version {plan.version} and the current rules."
        return
    yield f"From prompt version {plan.old_version} to {plan.version}:"
    if not plan.rules_known:
        yield "  the old dataset has no stored rules: answers are checked against the current ones"
    for change in plan.rules:
        rule = change.after or change.before
        if rule is not None:
            yield f"  {change.kind:<8} rule {rule.id}  {clean_line(rule.text, _CELLS)}"
    for passage in plan.passages[:_SHOWN]:
        where = "for every answer" if passage.everywhere else "for questions that mention it"
        yield f"  {'new' if passage.added else 'gone':<8} “{clean_line(passage.text, _CELLS)}” {where}"
    if (left := len(plan.passages) - _SHOWN) > 0:
        yield f"  and {left} more changed passages"
    numbers = f"{counted(len(plan.kept), 'answer')} kept, {len(plan.touched)} touched, {plan.to_ask} to ask for"
    yield f"{numbers}{':' if plan.touched else '.'}"
    reasons = Counter(row.reason for row in plan.touched)
    for reason, count in reasons.most_common(_SHOWN):
        yield f"  {count:>5}  {clean_line(reason, _CELLS)}"
        yield f"         {_numbers([row.curated for row in plan.touched if row.reason == reason])}"
    if (left := len(reasons) - _SHOWN) > 0:
        yield f"  and {left} more reasons"


def _numbers(touched: Sequence[CuratedExample]) -> str:
    """Return the numbers of answers, those that a person decided first: their work is what would be lost."""
    ordered = sorted(touched, key=lambda curated: not curated.by_person)
    named = [
        f"{each.example.id}{' (edited)' if each.edited else ' (accepted by a person)' if each.by_person else ''}"
        for each in ordered[:_SHOWN]
    ]
    more = f" and {left} more" if (left := len(touched) - _SHOWN) > 0 else ""
    return numbered("example", named) + more


def _change_json(change: RuleChange) -> dict[str, object]:
    return {
        "change": change.kind,
        "before": _rule_json(change, before=True),
        "after": _rule_json(change, before=False),
    }


def _rule_json(change: RuleChange, *, before: bool) -> dict[str, object] | None:
    rule = change.before if before else change.after
    return None if rule is None else {"id": rule.id, "text": rule.text, "check": check_to_fields(rule.check)}

"""The measurements of an evaluation as JSON: the records themselves, except where a function here differs. Pure."""

from dataclasses import asdict

from engine.records.comparison import Comparison
from engine.records.interval import Interval
from engine.records.preference import Preference
from engine.records.rate import RuleRate
from engine.records.regressions import GeneralChecks, Recitation, Regressions


def interval_json(interval: Interval | None) -> dict[str, object] | None:
    """A value with its bounds; null if undefined."""
    return None if interval is None else asdict(interval)


def rule_json(rule: RuleRate) -> dict[str, object]:
    """A rule with its pass rate, all in one object."""
    return {"id": rule.id, "text": rule.text, "kind": rule.kind, **asdict(rule.rate)}


def comparison_json(comparison: Comparison) -> dict[str, object]:
    """One comparison with all of its rules, each in one object."""
    rules = [{"id": each.id, **asdict(each.paired)} for each in comparison.rules]
    return asdict(comparison) | {"rules": rules}


def preference_json(found: Preference | None) -> dict[str, object] | None:
    """The preference with both win rates; null if no judge was asked. `votes`: the agreement with human votes."""
    if found is None:
        return None
    fields = asdict(found)
    fields["votes"] = fields.pop("agreement")
    return fields


def regressions_json(found: Regressions | None) -> dict[str, object] | None:
    """Every arm's figures by kind of probe; null if no probes were asked."""
    if found is None:
        return None
    return {
        "general": {
            "questions": found.general_questions,
            "answer_tokens": found.answer_tokens,
            "kl_to_unprompted": interval_json(found.kl_to_unprompted),
            "arms": {each.arm: _without_arm(each) for each in found.general},
        },
        "recitation": {each.arm: _without_arm(each) for each in found.recitation},
        "injection": {
            each.arm: {"rules": [rule_json(rule) for rule in each.rules], "all_rules": asdict(each.all_rules)}
            for each in found.injection
        },
        "seconds": found.seconds,
    }


def _without_arm(found: GeneralChecks | Recitation) -> dict[str, object]:
    fields = asdict(found)
    del fields["arm"]  # already the key of the object
    return fields

"""What the probes told, as the object that others read. Pure."""

from engine.evaluation.comparison_json import interval_json, rate_json
from engine.records.regressions import GeneralChecks, Regressions


def regressions_json(found: Regressions | None) -> dict[str, object] | None:
    """Every arm's figures by kind of probe; null where none was asked."""
    if found is None:
        return None
    return {
        "general": {
            "questions": found.general_questions,
            "answer_tokens": found.answer_tokens,
            "kl_to_unprompted": interval_json(found.kl_to_unprompted),
            "arms": {each.arm: _checks_json(each) for each in found.general},
        },
        "recitation": {
            each.arm: {
                "recited": rate_json(each.recited),
                "longest_words": each.longest_words,
                "longest": each.longest,
                "probe": each.probe,
            }
            for each in found.recitation
        },
        "injection": {
            each.arm: {
                "rules": [
                    {"id": rule.id, "text": rule.text, "kind": rule.kind, **rate_json(rule.rate)} for rule in each.rules
                ],
                "all_rules": rate_json(each.all_rules),
            }
            for each in found.injection
        },
        "seconds": found.seconds,
    }


def _checks_json(each: GeneralChecks) -> dict[str, object]:
    free = each.free_of_rules
    return {
        "ended": rate_json(each.ended),
        "not_empty": rate_json(each.not_empty),
        "in_language": rate_json(each.in_language),
        "free_of_rules": None if free is None else rate_json(free),
    }

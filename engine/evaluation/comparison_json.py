"""Comparisons of arms, and the rates and intervals in any answer, as the objects that others read. Pure."""

from engine.records.comparison import Comparison, Paired
from engine.records.interval import Interval
from engine.records.rate import Rate


def interval_json(interval: Interval | None) -> dict[str, object] | None:
    """A value with its bounds; null where it is undefined."""
    return None if interval is None else {"value": interval.value, "low": interval.low, "high": interval.high}


def rate_json(rate: Rate) -> dict[str, object]:
    """A pass rate with its counts and bounds."""
    return {"passed": rate.passed, "total": rate.total, "rate": rate.rate, "low": rate.low, "high": rate.high}


def comparison_json(comparison: Comparison) -> dict[str, object]:
    """One comparison with all of its rules."""
    return {
        "arm": comparison.arm,
        "against": comparison.against,
        "all_rules": _paired_json(comparison.all_rules),
        "rules": [{"id": each.id, **_paired_json(each.paired)} for each in comparison.rules],
    }


def _paired_json(paired: Paired) -> dict[str, object]:
    return {
        "difference": interval_json(paired.difference),
        "better": paired.better,
        "worse": paired.worse,
        "p": paired.p,
        "p_holm": paired.p_holm,
        "outcome": paired.outcome,
        "more_questions": paired.more_questions,
        "questions": paired.questions,
    }

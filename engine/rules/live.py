"""Checks an answer that is still being written: only results that more text is unlikely to change.

Pure. Once the answer has ended, `checks.check_answer` gives the full verdict.
"""

from collections.abc import Sequence
from dataclasses import replace

from engine.records.rule import CheckResult, Rule
from engine.rules.checks import check_answer


def check_so_far(rules: Sequence[Rule], text: str) -> tuple[CheckResult, ...]:
    """Return the results so far, in the order of `rules`; a rule that must wait for the end has no result.

    An ending, JSON, a language and a label need the whole answer. Forbidden text and a maximum length pass until they
    are violated; required text and a minimum length have no result until they are met. Raises UsageError as
    `check_answer` does.
    """
    return tuple(result for rule in rules if (result := _so_far(rule, text)) is not None)


def _so_far(rule: Rule, text: str) -> CheckResult | None:
    check = rule.check
    match check.kind:
        case "forbidden":
            return _found(rule, text)
        case "length" if check.max is not None:
            above = replace(rule, check=replace(check, min=None))
            broken = _found(above, text)
            return broken if not broken.passed or check.min is None else _kept(rule, text)
        case "length" | "contains" | "pattern":
            return _kept(rule, text)
        case "starts_with":
            begun = text.lstrip()
            return None if len(begun) < len(check.text) and check.text.startswith(begun) else _found(rule, text)
        case _:
            return None


def _found(rule: Rule, text: str) -> CheckResult:
    return check_answer([rule], text)[0]


def _kept(rule: Rule, text: str) -> CheckResult | None:
    """The result if the rule already passes; None otherwise, because it may still pass."""
    found = _found(rule, text)
    return found if found.passed else None

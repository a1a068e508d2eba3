"""Length rules whose sentence in the prompt now has another number: the prompt was changed, the rule was not.

Reported only if a single sentence mentions that unit and states its limits clearly. Pure.
"""

import re
from collections.abc import Iterator, Sequence
from typing import get_args

from engine.prompts.checkable import checks_of, numbers_in
from engine.prompts.demands import Demand
from engine.records.finding import Finding
from engine.records.prompt import Prompt
from engine.records.rule import Check, LengthUnit, Rule

_BOUNDS = ("min", "max")


def find_outdated(prompt: Prompt, demands: Sequence[Demand], rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield a finding for each outdated rule, at its sentence."""
    for rule in rules:
        if rule.check.kind != "length" or (demand := _only_one(prompt, demands, rule.check)) is None:
            continue
        stated = [check for check in checks_of(demand.text) if check.kind == "length" and check.unit == rule.check.unit]
        if len(stated) != 1 or not _in_order(stated[0]):
            continue
        for bound in _BOUNDS:
            held, says = _number(rule.check, bound), _number(stated[0], bound)
            alone = sum(_number(other.check, bound) is not None for other in rules if _alike(other, rule)) == 1
            if None in (held, says) or held == says or not alone or held in numbers_in(demand.text):
                continue
            which = "at least" if bound == "min" else "at most"
            problem = f"It says {which} {says} {rule.check.unit}; rule {rule.id} says {which} {held}."
            yield Finding("rule", demand.line, demand.text, problem, "Change the rule or the prompt: answers are "
                          "checked with the rule.")  # fmt: skip


def _only_one(prompt: Prompt, demands: Sequence[Demand], check: Check) -> Demand | None:
    """Return the only demand that mentions the check's unit, for every answer; None if there is another mention."""
    unit = re.compile(rf"\b{check.unit.removesuffix('s')}s?\b", re.IGNORECASE)
    speaking = [demand for demand in demands if unit.search(demand.text)]
    if len(speaking) != 1 or speaking[0].conditional or speaking[0].scope or _of_a_part(speaking[0].text, check):
        return None
    mentions = sum(len(unit.findall(message.content)) for message in prompt.messages if message.role == "system")
    return speaking[0] if mentions == len(unit.findall(speaking[0].text)) else None


def _of_a_part(text: str, check: Check) -> bool:
    """Whether the text mentions another unit: “no sentence of more than 20 words” does not limit the whole answer."""
    others = (unit.removesuffix("s") for unit in get_args(LengthUnit) if unit != check.unit)
    return any(re.search(rf"\b{other}s?\b", text, re.IGNORECASE) for other in others)


def _in_order(check: Check) -> bool:
    """Whether min ≤ max; if not, one number was misread as a range, such as “a hundred and fifty”."""
    return check.min is None or check.max is None or check.min <= check.max


def _alike(one: Rule, other: Rule) -> bool:
    return one.check.kind == "length" and one.check.unit == other.check.unit


def _number(check: Check, bound: str) -> int | None:
    return check.min if bound == "min" else check.max

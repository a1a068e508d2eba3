"""What a new prompt version changes: each rule, and the passages that no changed rule covers. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.prompts.checkable import checks_of
from engine.prompts.demands import read_demands
from engine.records.prompt import Message, Prompt
from engine.records.rule import Rule
from engine.rules.locate import locate_rule
from engine.rules.units import unit_spans

ChangeKind = Literal["added", "removed", "changed", "reworded"]


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A change to one rule. `reworded`: the text changed, but not the check."""

    kind: ChangeKind
    before: Rule | None
    after: Rule | None


@dataclass(frozen=True, slots=True)
class PassageChange:
    """A passage that is in only one of the versions and that no changed rule covers."""

    text: str
    added: bool
    everywhere: bool  # applies to every answer; False: only to questions that mention it


# From most to least certain; each rule is matched once.
_LIKENESSES: tuple[Callable[[Rule, Rule], bool], ...] = (
    lambda old, new: old.check == new.check and old.id == new.id,
    lambda old, new: old.check == new.check,
    lambda old, new: old.text == new.text,
    lambda old, new: old.id == new.id and old.check.kind == new.check.kind,
)


def compare_rules(before: Sequence[Rule], after: Sequence[Rule]) -> tuple[RuleChange, ...]:
    """Return the changed rules in the order of the new ones, then the removed ones. Unchanged rules are left out.

    Rules are matched by equal checks, else by equal text, else by number and kind of check.
    """
    left = list(before)
    pairs: dict[int, Rule] = {}
    for alike in _LIKENESSES:
        for place, rule in enumerate(after):
            if place not in pairs and (match := next((old for old in left if alike(old, rule)), None)) is not None:
                pairs[place] = match
                left.remove(match)
    found: list[RuleChange] = []
    for place, rule in enumerate(after):
        old = pairs.get(place)
        if old is None:
            found.append(RuleChange("added", None, rule))
        elif old.check != rule.check:
            found.append(RuleChange("changed", old, rule))
        elif old.text != rule.text:
            found.append(RuleChange("reworded", old, rule))
    return (*found, *(RuleChange("removed", rule, None) for rule in left))


def compare_passages(before: Prompt, after: Prompt, changes: Sequence[RuleChange]) -> tuple[PassageChange, ...]:
    """Return the sentences and example turns that are in only one version, except those covered by a changed rule.

    Rubrics cover nothing, because only a judge could tell which of the old answers break them.
    """
    old_rules = [rule for change in changes if (rule := change.before) is not None and not rule.needs_judge]
    new_rules = [rule for change in changes if (rule := change.after) is not None and not rule.needs_judge]
    return (
        *_only_in(after, before, new_rules, added=True),
        *_only_in(before, after, old_rules, added=False),
        *_turns(before, after, explained=bool(old_rules or new_rules)),
    )


def _only_in(one: Prompt, other: Prompt, rules: Sequence[Rule], *, added: bool) -> Iterator[PassageChange]:
    known = {_normal(other.system[span.start : span.end]) for span in unit_spans(other.system, "sentences")}
    places = [place.span for rule in rules for place in locate_rule(rule, one.messages[:1])]
    demands = read_demands(one)
    for span in unit_spans(one.system, "sentences"):
        text = one.system[span.start : span.end]
        if _normal(text) in known:
            continue
        # A demand starts after its list marker and ends with its sentence.
        demand = next((found for found in demands if found.span.overlaps(span.start, span.end)), None)
        asked = checks_of(demand.text) if demand is not None else ()
        if any(place.overlaps(span.start, span.end) for place in places) or any(rule.check in asked for rule in rules):
            continue
        everywhere = demand is not None and not demand.conditional and not demand.scope
        yield PassageChange(demand.text if demand else text, added, everywhere)


def _turns(before: Prompt, after: Prompt, *, explained: bool) -> Iterator[PassageChange]:
    old, new = _pairs(before.example_turns), _pairs(after.example_turns)
    for question, answer in new.items():
        if question not in old or (old[question] != answer and not explained):
            yield PassageChange(question, added=True, everywhere=False)
    for question in old:
        if question not in new:
            yield PassageChange(question, added=False, everywhere=False)


def _pairs(turns: Sequence[Message]) -> dict[str, str]:
    return {turns[at].content: turns[at + 1].content for at in range(0, len(turns) - 1, 2)}


def _normal(sentence: str) -> str:
    return " ".join(sentence.split())

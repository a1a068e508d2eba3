"""The rules of a project, changed by a person: work for the store's thread, each of which ends in a message."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.message import Message

from engine.errors import UsageError
from engine.project import Project
from engine.records.rule import Rule
from engine.texts import read_text
from tui.keys import key_of

RuleChanges = list[tuple[tuple[Rule, ...], tuple[Rule, ...]]]  # before, after; only the store's thread touches it


@dataclass
class RulesPut(Message):
    """The rules are others now."""

    said: str
    before: tuple[Rule, ...]
    after: tuple[Rule, ...]


RulesWork = Callable[[Project], RulesPut]


@dataclass
class RulesTakenBack(Message):
    """The rules are as they were before the last change."""

    said: str


def put_rule(project: Project, rule: Rule) -> RulesPut:
    """Change the rule of this number, or add it where its number is 0."""
    before = project.rules.all()
    if rule.id == 0:
        (added,) = project.rules.add([rule])
        return RulesPut(f"Rule {added.id} is new.", before, project.rules.all())
    after = project.rules.put([rule if old.id == rule.id else old for old in before])
    return RulesPut(f"Rule {rule.id} is changed.", before, after)


def put_rules(project: Project, rules: Sequence[Rule]) -> RulesPut:
    """Add these; their numbers are given by the store. Raises UsageError where all of them are there already."""
    before = project.rules.all()
    there = [(rule.text, rule.check) for rule in before]
    new = [rule for rule in rules if (rule.text, rule.check) not in there]
    if not new:
        raise UsageError("There is such a rule already.", "It is not added a second time.", "")
    added = project.rules.add(new)
    said = f"Rule {added[0].id} is new" if len(added) == 1 else f"{len(added)} rules are new"
    return RulesPut(f"{said}; {key_of('proposals.undo')} takes it back.", before, project.rules.all())


def remove_rule(project: Project, number: int) -> RulesPut:
    """Remove one rule; the others keep their numbers."""
    before = project.rules.all()
    project.rules.remove(number)
    return RulesPut(f"Rule {number} is removed; {key_of('rules.undo')} takes it back.", before, project.rules.all())


def import_rules(project: Project, path: str, *, replace: bool) -> RulesPut:
    """Rules from a YAML file, beside those that are there or in their place."""
    from engine.rules.documents import parse_rules

    rules = parse_rules(read_text(path, regular=True), path)
    before = project.rules.all()
    if replace:
        project.rules.replace_all(rules)
    else:
        project.rules.add(rules)
    what = "rule was" if len(rules) == 1 else "rules were"
    said = f"{len(rules)} {what} read; {key_of('rules.undo')} takes them back."
    return RulesPut(said, before, project.rules.all())


def noted(changes: RuleChanges, work: RulesWork) -> RulesWork:
    """The same work, which then remembers what takes its change back."""

    def whole(project: Project) -> RulesPut:
        put = work(project)
        changes.append((put.before, put.after))
        return put

    return whole


def take_back(project: Project, changes: RuleChanges) -> RulesTakenBack:
    """Undo the last of these changes. Raises UsageError where there is none, or someone changed the rules since."""
    if not changes:
        raise UsageError("Nothing is taken back.", "There is no change of the rules to take back.", "")
    before, after = changes[-1]
    if project.rules.all() != after:
        raise UsageError("The rules are not as you left them.", "Somebody changed them since.", "Change them by hand.")
    project.rules.put(before)
    changes.pop()
    return RulesTakenBack("Took back the last change of the rules.")

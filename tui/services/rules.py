"""Edits to the rules of a project: work for the store's thread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.errors import UsageError
from engine.project import Project
from engine.records.rule import Rule
from engine.texts import read_text
from engine.wording import counted
from tui.keys import key_in_sentence
from tui.undoing import NOTHING_LEFT, offer, undone

RuleChanges = list[tuple[tuple[Rule, ...], tuple[Rule, ...]]]  # (before, after); touched only by the store's thread


@dataclass(frozen=True, slots=True)
class RulesPut:
    """The rules have changed."""

    notice: str
    before: tuple[Rule, ...]
    after: tuple[Rule, ...]


RulesWork = Callable[[Project], RulesPut]


def put_rule(project: Project, rule: Rule) -> RulesPut:
    """Change the rule with this number, or add it if the number is 0."""
    before = project.rules.all()
    if rule.id == 0:
        (added,) = project.rules.add([rule])
        return RulesPut(_undoable(f"Added rule {added.id}"), before, project.rules.all())
    after = project.rules.put([rule if old.id == rule.id else old for old in before])
    return RulesPut(_undoable(f"Changed rule {rule.id}"), before, after)


def put_rules(project: Project, rules: Sequence[Rule]) -> RulesPut:
    """Add these; the store assigns their numbers. Raises UsageError if all of them exist already."""
    before = project.rules.all()
    added = project.rules.add_new(rules)
    if not added:
        raise UsageError("This rule already exists.", "It was not added again.", "")
    notice = _undoable(f"Added rule {added[0].id}" if len(added) == 1 else f"Added {len(added)} rules")
    if any(rule.needs_judge for rule in added) and project.settings.read().judge is None:
        notice += f" Only a judge can decide a rubric; {key_in_sentence('workspace.settings')} sets one."
    return RulesPut(notice, before, project.rules.all())


def remove_rule(project: Project, number: int) -> RulesPut:
    """Delete one rule; the others keep their numbers."""
    before = project.rules.all()
    project.rules.remove(number)
    return RulesPut(_undoable(f"Deleted rule {number}"), before, project.rules.all())


def import_rules(project: Project, path: str, *, replace: bool) -> RulesPut:
    """Import rules from a YAML file, adding to or replacing the existing ones."""
    from engine.rules.documents import parse_rules

    rules = parse_rules(read_text(path, regular=True), path)
    before = project.rules.all()
    added = project.rules.replace_all(rules) if replace else project.rules.add_new(rules)
    if not added:
        raise UsageError("All these rules exist already.", "None was added again.", "")
    there = len({(rule.text, rule.check) for rule in rules}) - len(added)
    notice = f"Added {counted(len(added), 'rule')}{f', {there} existed already' if there else ''}"
    return RulesPut(_undoable(notice), before, project.rules.all())


def noted(changes: RuleChanges, work: RulesWork) -> RulesWork:
    """The same work, recorded so that it can be undone."""

    def whole(project: Project) -> RulesPut:
        put = work(project)
        changes.append((put.before, put.after))
        return put

    return whole


def take_back(project: Project, changes: RuleChanges) -> str:
    """Undo the last of these changes; returns what was done, in words.

    Raises UsageError if the rules were changed elsewhere since.
    """
    if not changes:
        return NOTHING_LEFT
    before, after = changes[-1]
    if project.rules.all() != after:
        raise UsageError("Cannot undo.", "The rules were changed elsewhere since.", "Edit them by hand.")
    project.rules.put(before)
    changes.pop()
    return undone("the last change of the rules")


def _undoable(done: str) -> str:
    return f"{done}. {offer('rules.undo')}"

"""Prompt versions and numbered rules."""

import pytest

from engine.errors import NotFoundError
from engine.project import Project
from engine.records.prompt import Message, Prompt
from engine.records.rule import Check, Rule


def _prompt(text: str) -> Prompt:
    return Prompt((Message("system", text), Message("user", "hi"), Message("assistant", "ho")))


def test_versions_are_numbered_and_the_last_one_set_is_current(project: Project) -> None:
    assert project.prompts.current() is None
    first = project.prompts.set(_prompt("one"), note="the first")
    second = project.prompts.set(_prompt("two"))
    assert (first.version, second.version) == (1, 2)
    assert project.prompts.current() == second
    assert project.prompts.by_sha256(first.prompt.sha256) == _prompt("one")
    assert not project.prompts.by_version(1).current


def test_setting_known_content_again_makes_no_new_version(project: Project) -> None:
    project.prompts.set(_prompt("one"), note="the first")
    project.prompts.set(_prompt("two"))
    again = project.prompts.set(_prompt("one"))
    assert (again.version, again.note, again.current) == (1, "the first", True)
    assert [version.current for version in project.prompts.versions()] == [True, False]
    assert project.prompts.set(_prompt("one"), note="renamed").note == "renamed"


def test_unknown_prompt_is_named_in_the_error(project: Project) -> None:
    with pytest.raises(NotFoundError, match="no version 7"):
        project.prompts.by_version(7)
    with pytest.raises(NotFoundError, match="hash abc"):
        project.prompts.by_sha256("abc")


def test_store_numbers_rules_and_does_not_reuse_numbers(project: Project) -> None:
    rules = [Rule(0, f"rule {name}", Check("pattern", pattern=name)) for name in "abc"]
    assert [rule.id for rule in project.rules.add(rules)] == [1, 2, 3]
    before = project.rules.sha256()
    project.rules.remove(2)
    assert project.rules.sha256() != before
    assert [rule.id for rule in project.rules.all()] == [1, 3]
    assert [rule.id for rule in project.rules.add(rules[:1])] == [4]
    with pytest.raises(NotFoundError):
        project.rules.remove(2)
    project.rules.remove(4)
    assert [rule.id for rule in project.rules.add(rules[1:])] == [5, 6]  # not 4: answers may have results for it


def test_replacing_all_rules_keeps_the_numbers_of_those_that_remain(project: Project) -> None:
    contains = [Check("contains", text=letter) for letter in "abcdef"]
    project.rules.add([Rule(0, f"rule {number}", check) for number, check in enumerate(contains[:4], 1)])
    project.rules.remove(2)
    wanted = [
        Rule(9, "new", contains[4]),
        Rule(1, "rule 4", contains[5]),
        Rule(2, "renamed", contains[2]),
        Rule(3, "rule 1", contains[0]),
        Rule(3, "rule 1", contains[0]),
    ]
    replaced = project.rules.replace_all(wanted)
    assert [(rule.id, rule.text) for rule in replaced] == [
        (1, "rule 1"), (3, "renamed"), (4, "rule 4"), (5, "new"),
    ]  # fmt: skip
    assert project.rules.all() == replaced
    sha256 = project.rules.sha256()
    assert project.rules.replace_all(replaced[::-1]) == replaced
    assert project.rules.sha256() == sha256
    assert project.rules.replace_all([]) == ()


def test_replacing_all_rules_with_others_gives_them_new_numbers(project: Project) -> None:
    project.rules.add([Rule(0, "old", Check("json"))])
    new = project.rules.replace_all([Rule(9, "new", Check("label", pattern="(a|b)", labels=("a", "b"), gold=True))])
    assert project.rules.all() == new
    assert (new[0].id, new[0].text) == (2, "new")


def test_put_keeps_the_given_rule_numbers(project: Project) -> None:
    project.rules.add([Rule(0, name, Check("json")) for name in "abc"])
    before = project.rules.all()
    project.rules.put([before[0], Rule(3, "changed", Check("language", code="en"))])
    assert [(rule.id, rule.text) for rule in project.rules.all()] == [(1, "a"), (3, "changed")]
    assert project.rules.put(before) == project.rules.all() == before


def test_prompt_with_half_a_character_of_another_project_has_a_hash() -> None:
    """JSON can hold a lone surrogate, which is no text in UTF-8."""
    assert len(Prompt((Message("system", "\ud800"),)).sha256) == 64
    assert Prompt((Message("system", "\ud800"),)).sha256 != Prompt((Message("system", "\ud801"),)).sha256

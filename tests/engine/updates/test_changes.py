"""Differences between two versions: changed rules, and changed passages that no changed rule covers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.prompts.documents import parse_prompt
from engine.records.rule import Check, Rule
from engine.updates.changes import compare_passages, compare_rules

SHORT = Rule(1, "At most 26 words", Check("length", max=26))
SIGNED = Rule(2, "Signed", Check("ends_with", text="— Bank"))
CALM = Rule(3, "No exclamation marks", Check("forbidden", texts=("!",)))


@pytest.mark.parametrize(
    ("after", "kinds"),
    [
        ((SHORT, SIGNED, CALM), []),
        ((SHORT, SIGNED), ["removed"]),
        ((SHORT, SIGNED, CALM, Rule(4, "JSON", Check("json"))), ["added"]),
        ((Rule(1, "At most 20 words", Check("length", max=20)), SIGNED, CALM), ["changed"]),
        ((SHORT, SIGNED, Rule(3, "Stay calm", CALM.check)), ["reworded"]),
        ((Rule(1, SIGNED.text, SIGNED.check), Rule(2, CALM.text, CALM.check)), ["removed"]),
        ((Rule(1, "JSON", Check("json")), SIGNED, CALM), ["added", "removed"]),
        ((SHORT, Rule(9, "Signed", Check("ends_with", text="— Shop")), CALM), ["changed"]),
    ],
    ids=["same", "removed", "added", "changed", "reworded", "renumbered", "replaced", "same words"],
)
def test_each_changed_rule_is_listed_once_with_its_kind(after: tuple[Rule, ...], kinds: list[str]) -> None:
    assert [change.kind for change in compare_rules((SHORT, SIGNED, CALM), after)] == kinds


checks = st.builds(lambda most: Check("length", max=most), st.integers(1, 4)) | st.sampled_from(
    [CALM.check, SIGNED.check]
)
rule_lists = st.lists(st.tuples(st.sampled_from("abc"), checks), max_size=5).map(
    lambda rows: tuple(Rule(number, text, check) for number, (text, check) in enumerate(rows, 1))
)


@given(rule_lists, rule_lists)
def test_every_rule_is_unchanged_or_in_exactly_one_change(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> None:
    changes = compare_rules(before, after)
    assert compare_rules(before, before) == ()
    old = [change.before.id for change in changes if change.before is not None]
    new = [change.after.id for change in changes if change.after is not None]
    assert len(set(old)) == len(old)
    assert len(set(new)) == len(new)
    assert len(before) - len(old) == len(after) - len(new), "rules without a change are in both versions"
    for change in changes:
        same = change.before is not None and change.after is not None and change.before.check == change.after.check
        assert same == (change.kind == "reworded")


def test_passage_covered_by_a_changed_rule_is_not_listed() -> None:
    before, after = parse_prompt("Bank desk.\nUse at most 26 words."), parse_prompt("Bank desk.\nUse at most 20 words.")
    changes = compare_rules([SHORT], [Rule(1, "At most 20 words", Check("length", max=20))])
    assert compare_passages(before, after, changes) == ()
    assert {(row.added, row.everywhere) for row in compare_passages(before, after, ())} == {(True, True), (False, True)}


def test_facts_conditions_and_turns_apply_only_to_questions_that_mention_them() -> None:
    before = parse_prompt("Bank desk.\n\n## User\n\nOpen?\n\n## Assistant\n\nYes.")
    after = parse_prompt("Bank desk. Loans take two days. If a card is lost, name the hotline.\n\n## User\n\nShut?\n\n"
                         "## Assistant\n\nNo.")  # fmt: skip
    found = compare_passages(before, after, ())
    assert [(row.text, row.added, row.everywhere) for row in found] == [
        ("Loans take two days.", True, False), ("If a card is lost, name the hotline.", True, False),
        ("Shut?", True, False), ("Open?", False, False),
    ]  # fmt: skip


def test_whitespace_and_order_are_not_changes() -> None:
    one, other = parse_prompt("Be kind.  Use lists."), parse_prompt("Use lists.\n\nBe  kind.")
    assert compare_passages(one, other, ()) == ()


def test_different_letter_case_is_a_change() -> None:
    one, other = parse_prompt("Bank desk. End with “Cheers”."), parse_prompt("Bank desk. End with “CHEERS”.")
    assert [row.added for row in compare_passages(one, other, ())] == [True, False]


def test_rubric_covers_no_passage_and_no_example_turn() -> None:
    turns = "\n\n## User\n\nOpen?\n\n## Assistant\n\n"
    one, other = parse_prompt(f"Bank desk.{turns}Yes."), parse_prompt(f"Bank desk. Be warm.{turns}Yes, dear.")
    changes = compare_rules([], [Rule(1, "Be warm.", Check("rubric"))])
    assert {row.text for row in compare_passages(one, other, changes)} == {"Be warm.", "Open?"}

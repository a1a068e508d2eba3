"""Rules as YAML and JSON: parsed strictly, and written so that they read back unchanged."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.records.rule import Check, Rule
from engine.rules.documents import check_from_fields, check_to_fields, parse_rules, rules_to_yaml

DOCUMENT = """
rules:
  - text: Begins with the risk score.
    check: {kind: pattern, pattern: '^RISK SCORE: [1-5]'}
  - text: At most 46 words.
    check: {kind: length, unit: words, max: 46}
  - id: 99
    text: Valid JSON with a score.
    check:
      kind: json
      schema: {type: object, required: [score]}
  - text: Names the category.
    check: {kind: label, pattern: 'CATEGORY: (\\w+)', labels: [CARDS, "NO"], gold: true}
"""


def test_rules_are_read_and_numbered() -> None:
    rules = parse_rules(DOCUMENT, "rules.yaml")
    assert [rule.id for rule in rules] == [1, 2, 3, 4]
    assert rules[0] == Rule(1, "Begins with the risk score.", Check("pattern", pattern="^RISK SCORE: [1-5]"))
    assert rules[1].check == Check("length", unit="words", max=46)
    assert rules[2].check == Check("json", schema='{"required": ["score"], "type": "object"}')
    assert rules[3].check == Check("label", pattern=r"CATEGORY: (\w+)", labels=("CARDS", "NO"), gold=True)
    assert parse_rules(listed(rules), "again") == rules


def listed(rules: Sequence[Rule]) -> str:
    """The rules as printed by `rules list --json`."""
    return json.dumps({"rules": [asdict(rule) for rule in rules]})


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(
    lambda t: t.strip() == t
)
checks = st.one_of(
    st.builds(Check, st.sampled_from(["starts_with", "ends_with", "contains"]), text=words),
    st.builds(Check, st.just("forbidden"), texts=st.lists(words, min_size=1, max_size=3).map(tuple)),
    st.builds(
        Check, st.just("length"), unit=st.sampled_from(["words", "sentences", "lines"]), min=st.integers(0, 3),
        max=st.none() | st.integers(3, 9),
    ),
    st.builds(Check, st.just("label"), labels=st.lists(words, min_size=1, max_size=3).map(tuple), gold=st.booleans()),
    st.builds(Check, st.just("language"), code=st.sampled_from(["en", "no", "de"])),
    st.just(Check("json")),
)  # fmt: skip


@given(st.lists(st.tuples(words, checks), min_size=1, max_size=3))
def test_rules_survive_the_round_trip(pairs: list[tuple[str, Check]]) -> None:
    rules = tuple(Rule(number, text, check) for number, (text, check) in enumerate(pairs, 1))
    assert parse_rules(listed(rules), "round trip") == rules
    assert [check_from_fields(check_to_fields(rule.check)) for rule in rules] == [rule.check for rule in rules]


anything = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).map(str.strip).filter(bool)
schemas = st.recursive(
    st.booleans() | st.integers() | anything | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(anything, inner, max_size=2),
    max_leaves=5,
).map(lambda value: json.dumps({"const": value}))


@given(
    st.lists(st.tuples(anything, checks | st.builds(Check, st.just("json"), schema=schemas)), min_size=1, max_size=3),
    st.booleans(),
)
def test_written_rules_are_read_back_unchanged(pairs: list[tuple[str, Check]], ascii_only: bool) -> None:
    rules = tuple(Rule(number, text, check) for number, (text, check) in enumerate(pairs, 1))
    written = rules_to_yaml(rules, ascii_only=ascii_only)
    assert parse_rules(written, "written") == rules
    assert not ascii_only or written.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("rules: [", ("rules.yaml", "not valid YAML at line 1")),
        ("a: 1", ("rules.yaml", "exactly one top-level key")),
        ("rules: []", ("empty",)),
        ("rules: [1]", ("Rule 1 of rules.yaml", "not a mapping")),
        ("rules: [{text: a, check: {kind: smell}}]", ("Rule 1", "'smell'", "allowed: pattern, starts_with")),
        ("rules: [{text: a, check: {kind: length, max: 2}, severity: 1}]", ("severity", "allowed: id, text, check")),
        ("rules: [{text: a, check: {kind: length, max: 2, text: b}}]", ("no field 'text'", "allowed: unit, min, max")),
        ("rules: [{text: a, check: {kind: length, max: two}}]", ("length.max", "whole number", "'two'")),
        ("rules: [{text: a, check: {kind: length, max: true}}]", ("length.max", "whole number")),
        ("rules: [{text: a, check: {kind: length, unit: pages}}]", ("length.unit", "words or sentences or lines")),
        ("rules: [{text: a, check: {kind: language, code: no}}]", ("language.code", "in quotes", "false")),
        ("rules: [{text: a, check: {kind: label, labels: [yes, no]}}]", ("label.labels", "quotes", "true is none")),
        ("rules: [{text: '', check: {kind: json}}]", ("text must have",)),
        ("rules: [{text: a}]", ("check must be a mapping",)),
        ("rules: [{text: a, check: {kind: json, schema: {const: 2020-01-01}}}]", ("json.schema is not valid JSON",)),
        ("rules: [{text: ok, check: {kind: json}}, {text: b, check: {kind: pattern, pattern: '('}}]", ("Rule 2 of",)),
        ("rules: !!python/object/apply:os.getcwd []", ("not valid YAML",)),
        ("a: &a [b, b]\n" + "x: " + "[" * 1_000, ("not valid YAML",)),
        ("rules: [{text: a, check: {kind: [json]}}]", ("Rule 1", "kind is a list", "allowed: pattern")),
        ("rules: [{text: a, check: {kind: jsno}}]", ("Rule 1", "kind is 'jsno'", "allowed: pattern")),
        ("rules: [{text: a, check: {text: b}}]", ("Rule 1", "it has no kind", "allowed: pattern")),
        ("rules: [{text: a, check: {kind: contains, text: null}}]", ("contains.text", "not nothing")),
        # Without the second dash, rule «a» would be lost.
        ("rules:\n- text: a\n  check: {kind: json}\n  text: b\n", ("at line 4, column 3", "'text' is there twice")),
        (r'rules: [{text: "\ud83d", check: {kind: json}}]', ("at line 1", "half of a surrogate pair")),
        ("rules: []\nrules: []", ("at line 2, column 1", "'rules' is there twice")),
        ("rules: [" + "{text: a, check: {kind: json}}, " * 501 + "]", ("the limit is 500",)),
        ("#" * 1_000_001, ("larger than 1000000 bytes",)),
    ],
    ids=lambda value: "" if isinstance(value, str) else value[-1],
)
def test_invalid_document_is_refused_with_what_and_where(document: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_rules(document, "rules.yaml")
    for word in words:
        assert word in str(caught.value)


def test_yaml_aliases_and_merge_keys_are_resolved() -> None:
    document = """
rules:
  - {text: a, check: &label {kind: label, labels: &both [yes please, no]}}
"""
    with pytest.raises(UsageError, match="in quotes"):
        parse_rules(document, "rules.yaml")
    named = document.replace("no]", "'no']") + "  - {text: b, check: {<<: *label, labels: *both}}\n"
    first, second = parse_rules(named, "rules.yaml")
    assert first.check == second.check == Check("label", labels=("yes please", "no"))


@pytest.mark.parametrize(
    ("repeated", "levels", "message"),
    [
        ("{b: 1, c: 1}", 60, "more than 200,000 values"),
        ("x" * 1_000, 12, r"json.schema is not valid JSON: it has more than 1000000 characters"),
    ],
    ids=["values", "characters"],
)
def test_nested_yaml_aliases_are_refused_before_they_exhaust_memory(repeated: str, levels: int, message: str) -> None:
    lines = ["rules:", "  - text: a", "    check:", "      kind: json", "      schema:", f"        a0: &a0 {repeated}"]
    lines += [f"        a{n}: &a{n} {{b: *a{n - 1}, c: *a{n - 1}}}" for n in range(1, levels)]
    with pytest.raises(UsageError, match=message):
        parse_rules("\n".join(lines), "rules.yaml")

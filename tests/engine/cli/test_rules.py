"""`rules`: adding one by arguments or many by file, numbering, testing an answer, proposals from the prompt."""

from pathlib import Path
from typing import Any

import pytest

from tests.engine.cli.calling import call, fail, find, get, succeed

TWO = """\
rules:
  - text: Starts with a score
    check: {kind: starts_with, text: 'SCORE: '}
  - text: At most four words
    check: {kind: length, unit: words, max: 4}
"""


@pytest.fixture(autouse=True)
def desk(home: object) -> None:
    """A project without rules."""
    succeed("new", "desk")


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get("rules", "list")["rules"]
    return found


def test_empty_list_says_how_to_add_rules() -> None:
    assert rules() == []
    assert "rules import" in succeed("rules", "list").out
    assert "rules import" in fail("rules", "test", "An answer.")["next"], "a test of nothing must not pass"
    succeed("rules", "add", "Comforts", "kind=rubric")
    refused = fail("rules", "test", "An answer.")
    assert "rubrics" in refused["message"]
    assert "distill-tui evaluate" in refused["next"]


@pytest.mark.parametrize(
    ("args", "fields", "shown"),
    [
        (("kind=pattern", "pattern=^SCORE: [1-9]"), {"pattern": "^SCORE: [1-9]"}, "matches “^SCORE: [1-9]”"),
        (("kind=pattern", "pattern=a=b"), {"pattern": "a=b"}, "matches “a=b”"),
        (("kind=starts_with", "text=12"), {"text": "12"}, "starts with “12”"),
        (("kind=contains", "text=no"), {"text": "no"}, "contains “no”"),
        (("kind=length", "unit=words", "max=40"), {"unit": "words", "max": 40, "min": None}, "[at most 40 words]"),
        (("kind=length", "unit=lines", "min=2"), {"unit": "lines", "min": 2}, "at least 2 lines"),
        (
            ("kind=forbidden", "texts=[sorry, 'yes, but']"),
            {"texts": ["sorry", "yes, but"]},
            "without “sorry”, “yes, but”",
        ),
        (("kind=forbidden", "texts=[a, b, c, d, e]"), {"texts": list("abcde")}, "“a”, “b”, “c”, “d”, “e”]"),
        (("kind=rubric",), {"text": ""}, "[rubric]"),
        (("kind=json",), {"schema": ""}, "[JSON]"),
        (("kind=json", 'schema={"type": "object"}'), {"schema": '{"type": "object"}'}, "JSON that matches a schema"),
        (("kind=language", "code=no"), {"code": "no"}, "in Norwegian"),
        (
            ("kind=label", "labels=[card, loan]", "gold=true"),
            {"labels": ["card", "loan"], "gold": True},
            "one of “card”, “loan”, equal to the question's label",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_rule_is_added_from_key_value_arguments(args: tuple[str, ...], fields: dict[str, object], shown: str) -> None:
    (added,) = get("rules", "add", "What it demands", *args)["rules"]
    assert (added["id"], added["text"]) == (1, "What it demands")
    assert added["check"] | fields == added["check"]
    assert rules() == [added]
    assert shown in succeed("rules", "list").out


@pytest.mark.parametrize(
    "args",
    [("kind=length", "unit=words", "max=["), ("kind=length", "unit=words", "max=many"), ("kind=nonsense",),
     ("kind=pattern", "pattern=("), ("starts_with",), ("kind=contains", "text="), ("kind=contains", "colour=red"),
     ("kind=forbidden", "texts=*x"), ("kind=forbidden", "texts=2026-01-01"), ("text=only",), ("=",)],
    ids=" ".join,
)  # fmt: skip
def test_invalid_check_is_refused_and_nothing_is_stored(args: tuple[str, ...]) -> None:
    error = fail("rules", "add", "What it demands", *args)
    assert error["message"]
    assert rules() == []


def test_rule_without_text_or_check_is_refused() -> None:
    fail("rules", "add", "  ", "kind=json")
    fail("rules", "add", "What it demands")
    assert rules() == []


@pytest.mark.parametrize("from_file", [True, False], ids=["file", "standard input"])
def test_import_adds_new_rules_or_replaces_all(tmp_path: Path, *, from_file: bool) -> None:
    (tmp_path / "rules.yaml").write_text(TWO)
    args = ("rules", "import", tmp_path / "rules.yaml" if from_file else "-")
    assert [rule["id"] for rule in get(*args, input=TWO)["rules"]] == [1, 2]
    assert [rule["id"] for rule in get(*args, input=TWO)["rules"]] == [1, 2], "none is added twice"
    assert "2 of 2 rules existed already." in succeed(*args, input=TWO).err
    succeed("rules", "remove", 1)
    assert [rule["id"] for rule in get(*args, input=TWO)["rules"]] == [2, 3]
    before = rules()
    assert get(*args, "--replace", input=TWO)["rules"] == before == rules(), "rules that remain keep their numbers"
    other = TWO.replace("SCORE", "RANK").replace("a score", "a rank")
    assert [rule["id"] for rule in get("rules", "import", "-", "--replace", input=other)["rules"]] == [2, 4]
    assert [rule["text"] for rule in rules()] == ["At most four words", "Starts with a rank"]


@pytest.mark.parametrize(
    "text",
    [
        b"rules:\n  - text: 'open\n",
        b"rules: [{text: x, check: {kind: contains, text: a}}, {text: y, check: {kind: nonsense}}]",
        b"rules: []",
        b"- text: x",
        b"rules: [{text: x, check: {kind: pattern, pattern: '('}}]",
        b"rules: [{text: \xff}]",
        b"!!python/object/apply:os.system [echo]",
        b"",
        b"[" * 500,
    ],
    ids=["bad YAML", "bad second rule", "empty list", "no key", "bad pattern", "not UTF-8", "a call", "empty", "deep"],
)
@pytest.mark.parametrize("args", [(), ("--replace",)], ids=["add", "replace"])
def test_invalid_file_is_refused_and_the_rules_kept(text: bytes, args: tuple[str, ...], tmp_path: Path) -> None:
    succeed("rules", "import", "-", input=TWO)
    before = rules()
    (tmp_path / "bad.yaml").write_bytes(text)
    error = fail("rules", "import", tmp_path / "bad.yaml", *args)
    assert "bad.yaml" in f"{error['title']} {error['message']}"
    assert rules() == before


def test_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    assert "absent.yaml" in fail("rules", "import", tmp_path / "absent.yaml")["message"]
    assert str(tmp_path) in fail("rules", "import", tmp_path)["message"]


def test_listed_rules_can_be_imported(tmp_path: Path) -> None:
    succeed("rules", "add", "No thanks 👍", "kind=forbidden", "texts=[thanks, 👍]")
    succeed("rules", "add", "Valid JSON", "kind=json", 'schema={"type": "object"}')
    succeed("rules", "add", "Comforts", "kind=rubric")
    file = tmp_path / "rules.json"
    file.write_text(succeed("rules", "list", "--json").out)
    before = rules()
    succeed("new", "other")
    succeed("rules", "import", str(file))
    assert rules() == before


def test_exported_rules_are_changed_and_imported_again(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    assert "nothing to export" in fail("rules", "export", "--to", file)["title"]
    succeed("rules", "import", "-", input=TWO)
    succeed("rules", "add", "No thanks 👍", "kind=forbidden", "texts=[thanks, 👍]")
    succeed("rules", "add", "Valid JSON", "kind=json", 'schema={"type":"object"}')
    succeed("rules", "add", "A \u202e label\x85", "kind=label", "labels=['yes', 'no']", "gold=true")
    succeed("rules", "remove", "1")
    before = rules()
    assert get("rules", "export", "--to", file) == {"path": str(file), "rules": 4}
    assert "👍" in file.read_text(encoding="utf-8")
    assert "--force" in fail("rules", "export", "--to", file)["next"]
    assert get("rules", "import", file, "--replace")["rules"] == before
    printed = succeed("rules", "export", "--to", "-").out
    assert get("rules", "import", "-", "--replace", input=printed)["rules"] == before
    assert "--json" in call("rules", "export", "--to", "-", "--json").data["error"]["title"]

    file.write_text(file.read_text(encoding="utf-8").replace("max: 4", "max: 5"), encoding="utf-8")
    changed = get("rules", "import", file, "--replace")["rules"]
    assert [rule["id"] for rule in changed] == [2, 3, 4, 5]
    assert changed[0]["check"] == {**before[0]["check"], "max": 5}
    assert changed[1:] == before[1:]


def test_removing_a_rule_keeps_the_numbers_of_the_others() -> None:
    succeed("rules", "import", "-", input=TWO)
    assert get("rules", "remove", "1") == {"removed": 1}
    assert [rule["id"] for rule in rules()] == [2]
    for number in ("1", "9", "0"):
        assert "rules list" in fail("rules", "remove", number)["next"]
    fail("rules", "remove", "first")
    assert [rule["id"] for rule in rules()] == [2]


def test_answer_is_tested_against_every_rule_and_fails_if_it_breaks_one() -> None:
    succeed("rules", "import", "-", input=TWO)
    text, data = find("rules", "test", "SCORE: 1. One two three four five")
    assert data["passed"] is False
    assert [(rule["id"], rule["passed"]) for rule in data["rules"]] == [(1, True), (2, False)]
    assert "too many" in data["rules"][1]["note"]
    assert [line[:3] for line in text.splitlines()] == ["1 ✓", "2 ✗"]
    assert "The answer breaks rule 2." in call("rules", "test", "SCORE: 1. One two three four five").err
    assert "The answer breaks rules 1, 2." in call("rules", "test", "One two three four five").err
    assert get("rules", "test", "SCORE: 1.")["passed"] is True


def test_answer_can_be_read_from_stdin() -> None:
    succeed("rules", "add", "Ends well", "kind=ends_with", "text=é.")
    assert get("rules", "test", input="Enchanté.\n")["passed"] is True
    assert get("rules", "test", "-", input="Enchanté.\n")["passed"] is True
    assert fail("rules", "test", input=b"Enchant\xe9.")["title"] == "The file is not UTF-8 text."


def test_answer_is_compared_with_the_gold_label() -> None:
    succeed("rules", "add", "The right label", "kind=label", "labels=[card, loan]", "gold=true")
    assert get("rules", "test", "card", "--label", "card")["passed"] is True
    assert find("rules", "test", "card", "--label", "loan")[1]["passed"] is False


def test_proposed_rules_can_be_added_by_number_or_all() -> None:
    assert "prompt set" in fail("rules", "propose")["next"]
    succeed("prompt", "set", "-", input="Use at most 40 words.\nBe kind.\nEnd with “Bye.”")
    found = get("rules", "propose")
    assert [(row["number"], row["line"], row["rule"], row["source"]) for row in found["proposals"]] == [
        (1, 1, 0, "program"), (2, 2, 0, "program"), (3, 3, 0, "program"),
    ]  # fmt: skip
    assert found["proposals"][1]["check"] is None
    assert found["added"] == []
    assert "rubric" in succeed("rules", "propose").out
    assert rules() == []
    assert "List" in fail("rules", "propose", "--add", "4")["next"]
    assert get("rules", "propose", "--add", "3")["added"] == [1]
    assert get("rules", "propose", "--add")["added"] == [2]
    assert [rule["check"]["kind"] for rule in rules()] == ["ends_with", "length"]
    assert "already rule 1" in succeed("rules", "propose").out
    assert "Nothing was added" in succeed("rules", "propose", "--add").out
    assert get("rules", "propose", "--add", "2")["added"] == [3]  # a rubric is added only by its number
    assert rules()[2]["check"]["kind"] == "rubric"
    tested = get("rules", "test", "Hm. Bye.")
    assert ([row["id"] for row in tested["rules"]], tested["unjudged"]) == ([1, 2], [3]), "a rubric is not tested"
    assert "Not tested, because only a judge can: rule 3." in succeed("rules", "test", "Hm. Bye.").out

"""`curate`: decisions by rules and by a person, flags, edits, undo and redo."""

import os
from pathlib import Path
from typing import Any

import pytest

from engine.project import Project
from engine.records.example import Example, ExampleKey
from engine.records.prompt import Message, Prompt
from tests.engine.cli.calling import fail, get, succeed
from tests.tui import seeds

FAILING = [5, 10, 15, 20, 25, 30, 35, 40]  # every fifth answer of the seeds fails rule 3


def listed(*args: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get("curate", "list", "--limit", "100", *args)["examples"]
    return found


def state_of(example_id: int) -> str:
    return str(next(row["state"] for row in listed() if row["id"] == example_id))


def counts() -> tuple[int, int, int]:
    data = get("curate", "list", "--limit", "1")
    assert data["total"] == data["accepted"] + data["rejected"] + data["undecided"]
    return data["accepted"], data["rejected"], data["undecided"]


@pytest.fixture
def cut_off(finished: Path) -> int:
    """The id of an answer that was cut off at the token limit."""
    with Project.open(finished) as project:
        key = ExampleKey(seeds.PROMPT.sha256, 1, "starter", 1)
        project.examples.add([Example(key, "RISK SCORE: 1. And then", "length", "local")])
        return project.examples.all()[-1].example.id


def test_list_shows_states_and_failed_rules(finished: Path) -> None:
    data = get("curate", "list")
    assert (data["total"], data["accepted"], data["rejected"], data["undecided"]) == (40, 32, 8, 0)
    assert len(data["examples"]) == 40
    row = data["examples"][4]
    assert set(row) == {
        "id", "question_id", "attempt", "question", "messages", "topic", "answer", "generated", "state", "decided_by",
        "reason", "flag", "broken_rules", "carried_from", "finish_reason",
    }  # fmt: skip
    assert (data["matching"], data["flagged"], row["flag"], row["attempt"]) == (40, 0, None, 0)
    assert (row["id"], row["state"], row["decided_by"], row["broken_rules"]) == (5, "rejected", "rules", [3])
    text = succeed("curate", "list", "--limit", "5")
    assert "5 ✗" in text.out
    assert "rule 3" in text.out
    assert text.err == (
        "40 examples: 32 accepted, 8 rejected, 0 undecided; showing 5 of 40, see --offset and --limit\n"
    )
    assert succeed("curate", "list").err == "40 examples: 32 accepted, 8 rejected, 0 undecided\n"


def test_list_can_be_filtered_searched_and_paged(finished: Path) -> None:
    assert [row["id"] for row in listed("--state", "rejected")] == FAILING
    assert [row["id"] for row in get("curate", "list", "--offset", "2", "--limit", "2")["examples"]] == [3, 4]
    assert {row["question"].split()[3] for row in listed("--search", "loans")} == {"loans,"}
    assert {row["topic"] for row in listed("--topic", "loans")} == {"loans"}
    assert [row["id"] for row in listed("--failing-rule", "3", "--topic", "loans")] == [20]
    assert get("curate", "list", "--failing-rule", "3", "--limit", "2")["matching"] == len(FAILING)
    assert listed("--search", "unheard") == listed("--offset", "40") == []
    for signs in ('"*(', "NEAR(", "a:b", "-", "' OR 1"):
        assert isinstance(listed("--search", signs), list)
    for args in (("--state", "lost"), ("--offset", "-1"), ("--limit", "0")):
        fail("curate", "list", *args)


def test_check_decides_only_what_no_person_decided(new_project: Path) -> None:
    with Project.open(new_project) as project:
        keys = [ExampleKey(seeds.PROMPT.sha256, number, "starter", 0) for number in (1, 2, 3)]
        answers = ["RISK SCORE: 2. Call us.", "Sorry, no.", "Sorry, no."]
        project.examples.add([Example(key, answer, "stop", "local") for key, answer in zip(keys, answers, strict=True)])
    succeed("curate", "accept", "3", "--reason", "good enough")
    assert get("curate", "check") == {"accepted": 1, "rejected": 1, "unjudged": []}
    assert counts() == (2, 1, 0)
    assert [row["decided_by"] for row in listed()] == ["rules", "rules", "person"]
    assert succeed("curate", "check").out == (
        "The rules accepted 0 answers and rejected 0.\nNext: distill-tui curate list, then distill-tui curate freeze\n"
    )
    succeed("rules", "remove", "4")
    succeed("rules", "remove", "1")
    assert get("curate", "check")["accepted"] == 1, "decisions made by rules change with the rules"


def test_undo_and_redo_apply_to_whole_steps(finished: Path) -> None:
    assert get("curate", "reject", "1", "2") == {"decided": 2, "verdict": "reject"}
    assert get("curate", "accept", "--state", "rejected") == {"decided": 10, "left_out": 0, "verdict": "accept"}
    assert counts() == (40, 0, 0)
    assert get("curate", "undo") == {"undone": 10}
    assert counts() == (30, 10, 0)
    assert get("curate", "redo") == {"redone": 10}
    assert succeed("curate", "redo").out == "Nothing to redo.\n"
    assert succeed("curate", "undo").out == "Undone: 10 decisions.\n"
    assert succeed("curate", "undo").out == "Undone: 2 decisions.\n"
    assert get("curate", "undo") == {"undone": 40}
    assert get("curate", "undo") == {"undone": 0}
    assert succeed("curate", "undo").out == "Nothing to undo.\n"
    assert counts() == (0, 0, 40)
    assert succeed("curate", "redo").out == "Redid 40 decisions.\n"
    succeed("curate", "reject", "1")
    assert get("curate", "redo") == {"redone": 0}, "a new decision discards what was undone"


@pytest.mark.parametrize(
    ("args", "ids"),
    [
        (("1", "7", "1"), [1, 7]),
        (("--failing-rule", "3"), FAILING),
        (("--failing-rule", "1"), []),
        (("--state", "rejected"), FAILING),
        (("--contains", "YOUR LOANS"), list(range(17, 25))),
        (("--contains", "loans", "--failing-rule", "3"), [20]),
        (("19", "20", "21", "--state", "rejected"), [20]),
        (("--topic", "loans", "--failing-rule", "3"), [20]),
        (("--search", "loans", "--state", "rejected"), [20]),
        (("--flagged",), []),
    ],
    ids=str,
)
def test_options_select_the_answers_to_decide(args: tuple[str, ...], ids: list[int], finished: Path) -> None:
    before = {row["id"]: row["decided_by"] for row in listed()}
    assert get("curate", "reject", *args)["decided"] == len(ids)
    changed = [row["id"] for row in listed() if row["decided_by"] != before[row["id"]]]
    assert changed == ids


def test_filters_select_only_answers_to_the_current_prompt(finished: Path) -> None:
    with Project.open(finished) as project:
        project.prompts.set(Prompt((Message("system", "Another prompt."),)))
        newer = project.prompts.require().sha256
        project.examples.add([Example(ExampleKey(newer, 1, "starter", 0), "Yes.", "stop", "local")])
    ((row,), text) = listed(), succeed("curate", "list")
    assert (row["answer"], row["state"], counts()) == ("Yes.", "undecided", (0, 0, 1))
    assert text.err == "1 example: 0 accepted, 0 rejected, 1 undecided; 40 to older prompts\n"
    assert get("curate", "list", "--state", "accepted")["matching"] == 0
    assert get("curate", "reject", "--state", "accepted")["decided"] == 0
    assert get("curate", "accept", "--state", row["state"])["decided"] == 1
    assert counts() == (1, 0, 0)
    assert get("curate", "reject", "1")["decided"] == 1, "an id selects its example, whatever its prompt"


@pytest.mark.parametrize(
    "args", [(), ("999",), ("1", "999"), ("first",), ("--state", "lost"), ("--failing-rule", "x")], ids=" ".join
)
@pytest.mark.parametrize("verdict", ["accept", "reject"])
def test_invalid_selection_decides_nothing(verdict: str, args: tuple[str, ...], finished: Path) -> None:
    fail("curate", verdict, *args)
    assert counts() == (32, 8, 0)
    assert {row["decided_by"] for row in listed()} == {"rules"}


def test_flags_can_be_added_listed_removed_and_undone(finished: Path) -> None:
    assert get("curate", "flag", "5", "7", "--note", "ask Ana") == {"decided": 2, "verdict": "flag"}
    assert succeed("curate", "flag", "1").out == "Added 1 flag.\n"
    assert [(row["id"], row["flag"]) for row in listed("--flagged")] == [(1, ""), (5, "ask Ana"), (7, "ask Ana")]
    text = succeed("curate", "list", "--flagged")
    assert "✗ ⚑ ask Ana: Question" in text.out
    assert "3 flagged" in text.err
    assert counts() == (32, 8, 0), "decisions are unchanged"
    assert get("curate", "flag", "--flagged", "--remove") == {"decided": 3, "verdict": "unflag"}
    assert listed("--flagged") == []
    assert get("curate", "undo") == {"undone": 3}
    assert len(listed("--flagged")) == 3
    fail("curate", "flag")
    fail("curate", "flag", "999")


def test_bulk_accept_skips_and_counts_cut_off_answers(cut_off: int) -> None:
    succeed("curate", "reject", "1")
    text = succeed("curate", "accept", "--search", "about cards").out
    assert "Skipped because they were cut off: 1." in text
    assert state_of(cut_off) == "undecided"
    assert state_of(1) == "accepted"


def test_cut_off_answer_is_accepted_only_after_an_edit(cut_off: int) -> None:
    assert f"curate edit {cut_off}" in fail("curate", "accept", str(cut_off))["next"]
    assert state_of(cut_off) == "undecided"
    get("curate", "edit", str(cut_off), "-", input="RISK SCORE: 1. Whole.")
    assert state_of(cut_off) == "accepted"


@pytest.mark.parametrize("from_file", [True, False], ids=["file", "standard input"])
def test_edited_answer_is_accepted_and_its_failed_rules_named(
    finished: Path, tmp_path: Path, *, from_file: bool
) -> None:
    text = "Sorry.\nIt is shut.\n"
    (tmp_path / "answer.txt").write_text(text)
    args = ("curate", "edit", "5", tmp_path / "answer.txt" if from_file else "-")
    assert get(*args, input=text) == {"decided": 1, "verdict": "edit", "broken_rules": [1, 4]}
    row = listed()[4]
    assert (row["answer"], row["state"], row["decided_by"]) == ("Sorry.\nIt is shut.", "accepted", "person")
    assert "It breaks rule 1" in succeed(*args, input=text).out
    assert get("curate", "undo") == {"undone": 1}
    assert get("curate", "undo") == {"undone": 1}
    assert listed()[4]["state"] == "rejected"


@pytest.mark.parametrize("args", [(), ("--search", ""), ("--search", " "), ("--contains", "")], ids=str)
def test_empty_selection_never_means_all_examples(args: tuple[str, ...], finished: Path) -> None:
    before = counts()
    assert fail("curate", "reject", *args)["title"] == "No examples were selected."
    assert counts() == before


def test_edit_normalises_crlf_line_ends(finished: Path) -> None:
    get("curate", "edit", "5", "-", input=b"Sorry.\r\nIt is shut.\r\n")
    assert listed()[4]["answer"] == "Sorry.\nIt is shut."


@pytest.mark.parametrize("data", [b"", b" \n", b"\xff"], ids=["empty", "blank", "not UTF-8"])
def test_empty_or_undecodable_edit_keeps_the_old_answer(data: bytes, finished: Path) -> None:
    before = listed()
    fail("curate", "edit", "5", "-", input=data)
    assert listed() == before


@pytest.mark.parametrize("args", [("999", "-"), ("5", "absent.txt"), ("5", "."), ("fifth", "-")], ids=" ".join)
def test_edit_of_a_missing_example_or_file_is_refused(args: tuple[str, ...], finished: Path) -> None:
    fail("curate", "edit", *args, input="An answer.")
    assert counts() == (32, 8, 0)


def make_editor(tmp_path: Path, script: str) -> str:
    path = tmp_path / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_edit_without_a_file_opens_the_editor_on_the_old_answer(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "VISUAL", make_editor(tmp_path, f'cp "$1" {tmp_path}/seen; echo "RISK SCORE: 9. Edited." > "$1"')
    )
    old = listed()[4]["answer"]
    assert get("curate", "edit", "5")["broken_rules"] == []
    assert (tmp_path / "seen").read_text().rstrip("\n") == old
    assert listed()[4]["answer"] == "RISK SCORE: 9. Edited."


@pytest.mark.parametrize(("script", "status"), [("exit 0", 2), ("exit 3", 1)], ids=["closes", "fails"])
def test_editor_that_saves_nothing_changes_nothing(
    script: str, status: int, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", make_editor(tmp_path, script))
    before = listed()
    fail("curate", "edit", "5", status=status)
    assert listed() == before


def test_edit_without_editor_or_terminal_is_refused(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    assert "without a terminal" in fail("curate", "edit", "1")["title"]


def test_missing_editor_exits_with_failure(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", os.devnull + "/no-editor")
    fail("curate", "edit", "5", status=1)


def test_list_indents_every_line_of_an_answer(finished: Path) -> None:
    succeed("curate", "edit", "1", "-", input="RISK SCORE: 1.\n\nThe second line.")
    lines = succeed("curate", "list", "--limit", "1").out.splitlines()
    assert lines[0].startswith("    1 ✓ ")
    assert [line for line in lines[1:] if line] == ["        RISK SCORE: 1.", "        The second line."]

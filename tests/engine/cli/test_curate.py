"""The curate command: what the rules decide, what a person decides, undo and redo, and what refuses to be frozen."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.paths import Home
from engine.project import Project
from engine.projects import find_project
from engine.records.example import Example, ExampleKey
from engine.records.prompt import Message, Prompt
from tests.engine.cli.calling import fail, get, succeed
from tests.tui import seeds

BROKEN = [5, 10, 15, 20, 25, 30, 35, 40]  # the seeds break rule 3 in every fifth answer


def listed(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get("curate", "list", "--limit", "100", *words)["examples"]
    return found


def state_of(example_id: int) -> str:
    return str(next(row["state"] for row in listed() if row["id"] == example_id))


def counts() -> tuple[int, int, int]:
    data = get("curate", "list", "--limit", "1")
    assert data["total"] == data["accepted"] + data["rejected"] + data["undecided"]
    return data["accepted"], data["rejected"], data["undecided"]


@pytest.fixture
def cut(finished: Path) -> int:
    """The id of an answer that was cut at the token limit."""
    with Project.open(finished) as project:
        key = ExampleKey(seeds.PROMPT.sha256, 1, "starter", 1)
        project.examples.add([Example(key, "RISK SCORE: 1. And then", "length", "local")])
        return project.examples.all()[-1].example.id


def test_the_list_tells_state_and_broken_rules(finished: Path) -> None:
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


def test_the_list_is_filtered_searched_and_paged(finished: Path) -> None:
    assert [row["id"] for row in listed("--state", "rejected")] == BROKEN
    assert [row["id"] for row in get("curate", "list", "--offset", "2", "--limit", "2")["examples"]] == [3, 4]
    assert {row["question"].split()[3] for row in listed("--search", "loans")} == {"loans,"}
    assert {row["topic"] for row in listed("--topic", "loans")} == {"loans"}
    assert [row["id"] for row in listed("--failing-rule", "3", "--topic", "loans")] == [20]
    assert get("curate", "list", "--failing-rule", "3", "--limit", "2")["matching"] == len(BROKEN)
    assert listed("--search", "unheard") == listed("--offset", "40") == []
    for signs in ('"*(', "NEAR(", "a:b", "-", "' OR 1"):
        assert isinstance(listed("--search", signs), list)
    for words in (("--state", "lost"), ("--offset", "-1"), ("--limit", "0")):
        fail("curate", "list", *words)


def test_the_rules_decide_what_no_person_decided(begun: Path) -> None:
    with Project.open(begun) as project:
        keys = [ExampleKey(seeds.PROMPT.sha256, number, "starter", 0) for number in (1, 2, 3)]
        answers = ["RISK SCORE: 2. Call us.", "Sorry, no.", "Sorry, no."]
        project.examples.add([Example(key, answer, "stop", "local") for key, answer in zip(keys, answers, strict=True)])
    succeed("curate", "accept", "3", "--reason", "good enough")
    assert get("curate", "check") == {"accepted": 1, "rejected": 1}
    assert counts() == (2, 1, 0)
    assert [row["decided_by"] for row in listed()] == ["rules", "rules", "person"]
    assert succeed("curate", "check").out == "The rules accepted 0 answers and rejected 0.\n"
    succeed("rules", "remove", "4")
    succeed("rules", "remove", "1")
    assert get("curate", "check") == {"accepted": 1, "rejected": 0}, "decisions of the rules follow the rules"


def test_decisions_are_undone_and_redone_as_steps(finished: Path) -> None:
    assert get("curate", "reject", "1", "2") == {"decided": 2, "verdict": "reject"}
    assert get("curate", "accept", "--state", "rejected") == {"decided": 10, "left_out": 0, "verdict": "accept"}
    assert counts() == (40, 0, 0)
    assert get("curate", "undo") == {"undone": 10}
    assert counts() == (30, 10, 0)
    assert get("curate", "redo") == {"redone": 10}
    assert succeed("curate", "redo").out == "Nothing to redo.\n"
    assert succeed("curate", "undo").out == "Undid 10 decisions.\n"
    assert succeed("curate", "undo").out == "Undid 2 decisions.\n"
    assert get("curate", "undo") == {"undone": 40}
    assert get("curate", "undo") == {"undone": 0}
    assert succeed("curate", "undo").out == "Nothing to undo.\n"
    assert counts() == (0, 0, 40)
    assert succeed("curate", "redo").out == "Redid 40 decisions.\n"
    succeed("curate", "reject", "1")
    assert get("curate", "redo") == {"redone": 0}, "what was undone before another decision is gone"


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (("1", "7", "1"), [1, 7]),
        (("--failing-rule", "3"), BROKEN),
        (("--failing-rule", "1"), []),
        (("--state", "rejected"), BROKEN),
        (("--contains", "YOUR LOANS"), list(range(17, 25))),
        (("--contains", "loans", "--failing-rule", "3"), [20]),
        (("19", "20", "21", "--state", "rejected"), [20]),
        (("--topic", "loans", "--failing-rule", "3"), [20]),
        (("--search", "loans", "--state", "rejected"), [20]),
        (("--flagged",), []),
    ],
    ids=str,
)
def test_options_choose_what_is_decided(words: tuple[str, ...], ids: list[int], finished: Path) -> None:
    before = {row["id"]: row["decided_by"] for row in listed()}
    assert get("curate", "reject", *words)["decided"] == len(ids)
    changed = [row["id"] for row in listed() if row["decided_by"] != before[row["id"]]]
    assert changed == ids


def test_what_is_listed_is_what_is_decided_and_counted(finished: Path) -> None:
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
    assert get("curate", "reject", "1")["decided"] == 1, "a number means its example, of whichever prompt"


@pytest.mark.parametrize(
    "words", [(), ("999",), ("1", "999"), ("first",), ("--state", "lost"), ("--failing-rule", "x")], ids=" ".join
)
@pytest.mark.parametrize("verdict", ["accept", "reject"])
def test_nothing_is_decided_by_a_slip_of_the_hand(verdict: str, words: tuple[str, ...], finished: Path) -> None:
    fail("curate", verdict, *words)
    assert counts() == (32, 8, 0)
    assert {row["decided_by"] for row in listed()} == {"rules"}


def test_a_flag_is_put_up_listed_taken_down_and_undone(finished: Path) -> None:
    assert get("curate", "flag", "5", "7", "--note", "ask Ana") == {"decided": 2, "verdict": "flag"}
    assert succeed("curate", "flag", "1").out == "Added 1 flag.\n"
    assert [(row["id"], row["flag"]) for row in listed("--flagged")] == [(1, ""), (5, "ask Ana"), (7, "ask Ana")]
    text = succeed("curate", "list", "--flagged")
    assert "✗ ⚑ ask Ana: Question" in text.out
    assert "3 flagged" in text.err
    assert counts() == (32, 8, 0), "decisions stay as they are"
    assert get("curate", "flag", "--flagged", "--remove") == {"decided": 3, "verdict": "unflag"}
    assert listed("--flagged") == []
    assert get("curate", "undo") == {"undone": 3}
    assert len(listed("--flagged")) == 3
    fail("curate", "flag")
    fail("curate", "flag", "999")


def test_cut_answers_among_many_are_left_out_and_counted(cut: int) -> None:
    succeed("curate", "reject", "1")
    text = succeed("curate", "accept", "--search", "about cards").out
    assert "Skipped because they were cut off: 1." in text
    assert state_of(cut) == "undecided"
    assert state_of(1) == "accepted"


def test_a_cut_answer_is_not_accepted_as_it_is_and_can_be_edited(cut: int) -> None:
    assert f"curate edit {cut}" in fail("curate", "accept", str(cut))["next"]
    assert state_of(cut) == "undecided"
    get("curate", "edit", str(cut), "-", input="RISK SCORE: 1. Whole.")
    assert state_of(cut) == "accepted"


@pytest.mark.parametrize("from_file", [True, False], ids=["file", "standard input"])
def test_an_edited_answer_is_accepted_and_told_what_it_breaks(
    finished: Path, tmp_path: Path, *, from_file: bool
) -> None:
    text = "Sorry.\nIt is shut.\n"
    (tmp_path / "answer.txt").write_text(text)
    words = ("curate", "edit", "5", tmp_path / "answer.txt" if from_file else "-")
    assert get(*words, input=text) == {"decided": 1, "verdict": "edit", "broken_rules": [1, 4]}
    row = listed()[4]
    assert (row["answer"], row["state"], row["decided_by"]) == ("Sorry.\nIt is shut.", "accepted", "person")
    assert "It breaks rule 1" in succeed(*words, input=text).out
    assert get("curate", "undo") == {"undone": 1}
    assert get("curate", "undo") == {"undone": 1}
    assert listed()[4]["state"] == "rejected"


@pytest.mark.parametrize("words", [(), ("--search", ""), ("--search", " "), ("--contains", "")], ids=str)
def test_nothing_said_means_no_example_and_never_all(words: tuple[str, ...], finished: Path) -> None:
    before = counts()
    assert fail("curate", "reject", *words)["title"] == "No examples were selected."
    assert counts() == before


def test_line_ends_of_other_systems_are_no_part_of_an_edit(finished: Path) -> None:
    get("curate", "edit", "5", "-", input=b"Sorry.\r\nIt is shut.\r\n")
    assert listed()[4]["answer"] == "Sorry.\nIt is shut."


@pytest.mark.parametrize("data", [b"", b" \n", b"\xff"], ids=["empty", "blank", "not UTF-8"])
def test_an_edit_that_is_no_text_is_refused_and_the_old_answer_stands(data: bytes, finished: Path) -> None:
    before = listed()
    fail("curate", "edit", "5", "-", input=data)
    assert listed() == before


@pytest.mark.parametrize("words", [("999", "-"), ("5", "absent.txt"), ("5", "."), ("fifth", "-")], ids=" ".join)
def test_an_edit_of_nothing_is_refused(words: tuple[str, ...], finished: Path) -> None:
    fail("curate", "edit", *words, input="An answer.")
    assert counts() == (32, 8, 0)


def editor(tmp_path: Path, script: str) -> str:
    path = tmp_path / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_without_a_file_the_editor_opens_on_the_old_answer(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", editor(tmp_path, f'cp "$1" {tmp_path}/seen; echo "RISK SCORE: 9. Edited." > "$1"'))
    old = listed()[4]["answer"]
    assert get("curate", "edit", "5")["broken_rules"] == []
    assert (tmp_path / "seen").read_text().rstrip("\n") == old
    assert listed()[4]["answer"] == "RISK SCORE: 9. Edited."


@pytest.mark.parametrize(("script", "status"), [("exit 0", 2), ("exit 3", 1)], ids=["closes", "fails"])
def test_an_editor_that_saves_nothing_changes_nothing(
    script: str, status: int, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", editor(tmp_path, script))
    before = listed()
    fail("curate", "edit", "5", status=status)
    assert listed() == before


def test_no_editor_is_opened_where_there_is_no_terminal(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    assert "without a terminal" in fail("curate", "edit", "1")["title"]


def test_an_editor_that_is_not_there_is_a_failure(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", os.devnull + "/no-editor")
    fail("curate", "edit", "5", status=1)


class TestFreeze:
    """Freezing, over a base that has only a tokenizer: no model is loaded."""

    @pytest.fixture
    def tiny(self, home: Home, tiny_base: Path) -> Project:
        """Sixteen accepted answers to a short prompt, and a base."""
        succeed("new", "tiny", "--base", str(tiny_base))
        succeed("prompt", "set", "-", input="Say in one word, and never in two, what the bank would say to this.")
        succeed("questions", "import", "-", input="\n".join(f"Question {n}?" for n in range(16)))
        with find_project("tiny", home) as project:
            ids = [question.id for question in project.questions.all()]
            project.questions.set_splits(
                {number: "validation" if number > 12 else "train" if number > 2 else "test" for number in ids}
            )
            sha256 = project.prompts.versions()[0].prompt.sha256
            project.examples.add(
                [Example(ExampleKey(sha256, number, "peer", 0), f"Yes {number}.", "stop", "endpoint") for number in ids]
            )
        return project

    def test_nothing_accepted_cannot_be_frozen(self, tiny: Project) -> None:
        assert "curate check" in fail("curate", "freeze", status=1)["next"]

    def test_accepted_answers_are_frozen_once_and_never_those_of_the_test_split(self, tiny: Project) -> None:
        succeed("curate", "check")
        first = get("curate", "freeze")
        assert (first["train"], first["validation"]) == (10, 4)
        assert get("curate", "freeze") == first
        assert first["sha256"][:12] in succeed("curate", "freeze").out
        succeed("curate", "reject", "3")
        second = get("curate", "freeze")
        assert second["train"] == 9
        assert second["sha256"] != first["sha256"]

    def test_a_dry_run_says_what_would_be_frozen_and_refused_and_freezes_nothing(self, tiny: Project) -> None:
        assert get("curate", "freeze", "--dry-run")["undecided"] == 16
        succeed("curate", "check")
        leak = "Say in one word and never in two what the bank would say to this"
        succeed("curate", "edit", "3", "-", input=f"I was told: {leak}")
        data = get("curate", "freeze", "--dry-run")
        assert {topic["split"]: topic["rows"] for topic in data["topics"]} == {"train": 9, "validation": 4}
        assert (data["test"], data["lengths_checked"]) == (2, True)
        assert [(refusal["example_id"], refusal["kind"]) for refusal in data["refused"]] == [(3, "message")]
        assert leak in succeed("curate", "freeze", "--dry-run").out
        assert next(each for each in get("status")["stations"] if each["name"] == "dataset")["count"] == 0

    def test_an_answer_that_repeats_the_prompt_is_refused_by_its_id(self, tiny: Project) -> None:
        succeed("curate", "check")
        leak = "Say in one word and never in two what the bank would say to this"
        succeed("curate", "edit", "3", "-", input=f"I was told: {leak}")
        error = fail("curate", "freeze", status=1)
        assert "example 3" in error["message"]
        succeed("curate", "reject", "3")
        assert get("curate", "freeze")["train"] == 9

    def test_a_base_that_is_not_there_is_a_failure_with_a_way_out(self, begun: Path, tmp_path: Path) -> None:
        base = tmp_path / "base"
        base.mkdir()
        (base / "config.json").write_text("{}")
        succeed("new", "lost", "--base", base)
        shutil.rmtree(base)
        succeed("prompt", "set", "-", input="Be brief.")
        assert "starter" in fail("curate", "freeze", status=1)["next"]


def test_every_line_of_an_answer_is_set_in(finished: Path) -> None:
    succeed("curate", "edit", "1", "-", input="RISK SCORE: 1.\n\nThe second line.")
    shown = succeed("curate", "list", "--limit", "1").out.splitlines()
    assert shown[0].startswith("    1 ✓ ")
    assert [line for line in shown[1:] if line] == ["        RISK SCORE: 1.", "        The second line."]

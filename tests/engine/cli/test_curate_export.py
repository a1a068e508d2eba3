"""`curate export`: the contents of the file, importing it again, and what it never overwrites."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.curation import chat_file
from engine.project import Project
from engine.records.example import Example, ExampleKey
from engine.records.prompt import Message
from engine.records.question import Question
from tests.engine.cli.calling import PROGRAM, call, fail, get, succeed
from tests.tui import seeds


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


@given(st.text(st.characters(codec="utf-8")), st.booleans())
def test_row_is_one_line_for_any_text(text: str, ascii_only: bool) -> None:
    line = chat_file.as_line({"topic": text}, ascii_only=ascii_only).encode()
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"topic": text}
    assert line.isascii() or not ascii_only


def test_accepted_and_edited_answers_are_written_without_the_prompt(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_file, "_READ_TOGETHER", 7)
    get("curate", "edit", "1", "-", input="Größe:\u2028\x1b[2J “\x85”")
    path = tmp_path / "answers.jsonl"
    assert get("curate", "export", "--to", path) == {
        "path": str(path), "examples": 32, "state": "accepted", "split": None, "leaks": [],
    }  # fmt: skip
    rows = rows_of(path)
    accepted = get("curate", "list", "--state", "accepted", "--limit", "100")["examples"]
    assert [row["example"] for row in rows] == [each["id"] for each in accepted]
    assert [row["messages"] for row in rows] == [
        [*each["messages"], {"role": "assistant", "content": each["answer"]}] for each in accepted
    ]
    assert rows[0]["messages"][-1]["content"] == "Größe:\u2028\x1b[2J “\x85”"
    assert "Größe" in path.read_text(encoding="utf-8")
    assert {key: rows[0][key] for key in rows[0] if key != "messages"} == {
        "topic": "cards", "split": "train", "example": 1, "teacher": "starter",
    }  # fmt: skip
    assert {message["role"] for row in rows for message in row["messages"]} == {"user", "assistant"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob("*answers*")) == [path]


def test_lone_surrogate_is_escaped(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_file, "_plain", lambda _: {"topic": "\ud83d"})
    get("curate", "export", "--to", tmp_path / "answers.jsonl")
    assert rows_of(tmp_path / "answers.jsonl")[0] == {"topic": "\ud83d"}


def test_exported_file_can_be_imported_as_questions(finished: Path, tmp_path: Path) -> None:
    with Project.open(finished) as project:
        turns = (Message("user", "And?"), Message("assistant", "Then?"), Message("user", "So."))
        project.questions.add([Question(turns)])
        key = ExampleKey(seeds.PROMPT.sha256, project.questions.all()[-1].id, "m @ https://llm.example.com/v1", 0)
        project.examples.add([Example(key, "Well.", "stop", "endpoint")])
    succeed("curate", "accept", "41")
    succeed("curate", "export", "--to", tmp_path / "answers.jsonl")
    last = rows_of(tmp_path / "answers.jsonl")[-1]
    assert (last["topic"], last["split"], last["teacher"]) == ("", None, "m @ https://llm.example.com/v1")
    succeed("new", "other")
    imported = get("questions", "import", tmp_path / "answers.jsonl")
    assert (imported["added"], imported["refused"]) == (33, [])
    questions = get("questions", "list", "--limit", "100")["questions"]
    assert {row["topic"] for row in questions} == {"cards", "transfers", "loans", "accounts", "fees", ""}
    assert questions[-1]["text"] == "So."


def test_state_and_split_filter_and_an_empty_selection_keeps_the_file(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    assert get("curate", "export", "--to", path, "--state", "rejected")["examples"] == 8
    assert [row["example"] for row in rows_of(path)] == [5, 10, 15, 20, 25, 30, 35, 40]
    before = path.read_bytes()
    assert path.name in fail("curate", "export", "--to", path)["message"]
    none = fail("curate", "export", "--to", path, "--force", "--split", "test")
    assert none["message"] == "No answer to the current prompt of the test split is accepted."
    fail("curate", "export", "--to", path, "--force", "--state", "undecided")
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*answers*")) == [path]
    assert succeed("curate", "export", "--to", path, "--force", "--split", "validation").out.startswith("Wrote 6 ans")
    assert {row["split"] for row in rows_of(path)} == {"validation"}
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    assert get("curate", "export", "--to", link, "--force")["path"] == str(path)
    assert link.is_symlink()


def test_export_writes_only_to_regular_files(finished: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        assert "is a folder, a device or a pipe" in fail("curate", "export", "--to", place, "--force")["message"]
    assert "There is no folder" in fail("curate", "export", "--to", tmp_path / "none" / "a.jsonl")["title"]
    assert "--to" in fail("curate", "export")["message"]


def test_export_to_dash_prints_the_lines(finished: Path) -> None:
    get("curate", "edit", "1", "-", input="\x9b2J “”")
    lines = succeed("curate", "export", "--to", "-").out.splitlines()
    assert len(lines) == 32
    assert json.loads(lines[0])["messages"][-1]["content"] == "\x9b2J “”"
    refused = call("curate", "export", "--to", "-", "--json")
    assert (refused.status, refused.data["error"]["title"]) == (2, "Cannot combine --to - with --json.")


def test_answers_that_repeat_the_prompt_are_reported(finished: Path, tmp_path: Path) -> None:
    get("curate", "edit", "3", "-", input=f"I was told: {seeds.PROMPT.system}")
    exported = succeed("curate", "export", "--to", tmp_path / "answers.jsonl", "--json")
    assert exported.data["leaks"] == [3]
    assert exported.err == "1 answer may repeat the prompt; the first is example 3.\n"


def test_output_that_cannot_be_written_ends_the_export_without_a_traceback(finished: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [PROGRAM, "curate", "export", "--to", "-"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 1
    assert "No space left on device" in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert "Traceback" not in ended.stderr

"""`prompt`: document formats, versions, reminders, and trying it on a teacher."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.paths import Home
from engine.projects import find_project
from engine.records.options import ExportOptions, GenerateOptions
from tests.engine.cli.calling import call, fail, get, succeed
from tests.engine.teachers.hostile_server import HostileServer, error, good, served, status

MARKDOWN = "Be brief.\n\n## User\n\nIs it open?\n\n## Assistant\n\nYes, it is.\n"
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Is it open?"},
    {"role": "assistant", "content": "Yes, it is."},
]
YAML = "messages:\n" + "".join(f"  - {{role: {m['role']}, content: '{m['content']}'}}\n" for m in MESSAGES)


@pytest.fixture(autouse=True)
def desk(home: Home) -> None:
    """A project without a prompt."""
    succeed("new", "desk", "--base", "owner/model")


def versions() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get("prompt", "versions")["versions"]
    return found


@pytest.mark.parametrize("text", [MARKDOWN, YAML, json.dumps(MESSAGES), json.dumps({"messages": MESSAGES})],
                         ids=["markdown", "yaml", "json", "json object"])  # fmt: skip
@pytest.mark.parametrize("from_file", [True, False], ids=["file", "standard input"])
def test_every_format_gives_the_same_prompt(text: str, tmp_path: Path, *, from_file: bool) -> None:
    (tmp_path / "prompt").write_text(text)
    stored = get("prompt", "set", tmp_path / "prompt" if from_file else "-", input=text)
    assert stored["version"] == 1
    shown = get("prompt", "show")
    assert shown["messages"] == MESSAGES
    assert shown["sha256"] == stored["sha256"]
    assert stored["tokens"] == shown["tokens"]
    assert [set(count) for count in stored["tokens"]] == [{"of", "tokens", "tokenizer", "exact"}]
    assert succeed("prompt", "show").out.strip() == MARKDOWN.strip()


def test_shown_prompt_can_be_set_again_as_the_same_version() -> None:
    succeed("prompt", "set", "-", input=YAML)
    shown = succeed("prompt", "show")
    assert "tokens" in shown.err, "the counts are not part of the document"
    assert get("prompt", "set", "-", input=shown.out)["version"] == 1


def test_byte_order_mark_and_crlf_change_nothing() -> None:
    plain = get("prompt", "set", "-", input=MARKDOWN)["sha256"]
    assert get("prompt", "set", "-", input=b"\xef\xbb\xbf" + MARKDOWN.replace("\n", "\r\n").encode())["sha256"] == plain


def test_versions_are_kept_compared_and_restored() -> None:
    succeed("prompt", "set", "-", "--note", "the first", input="Be brief.")
    succeed("prompt", "set", "-", "--note", "the second", input="Be brief and kind.")
    rows = versions()
    assert [(row["version"], row["note"], row["current"]) for row in rows] == [
        (1, "the first", False),
        (2, "the second", True),
    ]
    assert {type(row["created_at"]) for row in rows} == {str}
    lines = succeed("prompt", "versions").out.splitlines()
    assert [line.split()[0] for line in lines] == ["version", "1", "2"]
    assert lines[2].startswith("2 *")
    assert re.search(r"  20\d\d-\d\d-\d\d \d\d:\d\d  the second$", lines[2])
    assert get("prompt", "versions", "--diff", "1", "2")["diff"].splitlines()[-2:] == [
        "-Be brief.",
        "+Be brief and kind.",
    ]
    assert "+Be brief and kind." in succeed("prompt", "versions", "--diff", "1", "2").out
    assert succeed("prompt", "versions", "--diff", "2", "2").out == "The two versions are identical.\n"
    assert succeed("prompt", "show", "--version", "1").out == "Be brief.\n"
    assert get("prompt", "set", "-", input="Be brief.")["version"] == 1
    assert [row["current"] for row in versions()] == [True, False]
    assert {"of": "student", **versions()[0]["tokens"]} == get("prompt", "show", "--version", "1")["tokens"][0]


def test_versions_are_compared_by_two_numbers_with_or_without_the_option() -> None:
    for text in ("Be brief.", "Be kind."):
        succeed("prompt", "set", "-", input=text)
    assert get("prompt", "versions", "1", "2") == get("prompt", "versions", "--diff", "1", "2")
    for args in (("1",), ("1", "2", "3"), ("1", "2", "--diff", "1", "2")):
        assert "versions A B" in fail("prompt", "versions", *args)["message"]


@pytest.mark.parametrize("args", [("show", "--version", "0"), ("show", "--version", "-1"), ("show", "--version", "9"),
                                   ("versions", "--diff", "1", "9"), ("versions", "--diff", "0", "1")],
                         ids=" ".join)  # fmt: skip
def test_missing_version_is_refused(args: tuple[str, ...]) -> None:
    succeed("prompt", "set", "-", input="Be brief.")
    assert "prompt versions" in fail("prompt", *args)["next"]


def test_setting_another_prompt_names_the_jobs_that_still_answer_the_one_before(home: Home) -> None:
    succeed("prompt", "set", "-", input="Be brief.")
    with find_project("desk", home) as project:
        running, _waiting, other = (
            project.jobs.add(options) for options in (GenerateOptions(), GenerateOptions(limit=1), ExportOptions(1))
        )
        for job in (running, other):
            project.jobs.update(job.id, state="running")
    changed = call("prompt", "set", "-", input="Be kind.")
    assert (
        f"Job {running.id} (generate) still answers the version before. Stop it: distill-tui jobs stop {running.id}"
        in changed.err
    )
    assert get("prompt", "set", "-", input="Be kind.")["outdated_jobs"] == [], "nothing has changed"
    assert get("prompt", "set", "-", input="Be brief.")["outdated_jobs"] == [running.id]


def test_commands_without_a_prompt_say_how_to_set_one() -> None:
    assert versions() == []
    assert "prompt set" in succeed("prompt", "versions").out
    for args in (("show",), ("try", "Is it open?")):
        assert "prompt set" in fail("prompt", *args)["next"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"Be brief \xff", "byte 9"),
        ("Be brief.".encode("utf-16"), "UTF-16"),
        (b"", "no message"),
        (b"messages:\n  - {role: system, content: 'open\n", "line"),
        (b"messages:\n  - role: robot\n    content: x\n", "robot"),
        (b'[{"role": "system", "content": "x"', "Invalid JSON"),
        (b'[{"role": "user", "content": "x"}]', "no answer"),
        (b'[{"role": "assistant", "content": null, "tool_calls": [{"id": 1}]}]', "tool calls"),
        (b"x" * 2_000_001, "2000000"),
    ],
    ids=[
        "not UTF-8",
        "UTF-16",
        "empty",
        "bad YAML",
        "unknown role",
        "bad JSON",
        "half a turn",
        "tool call",
        "too large",
    ],
)
def test_invalid_document_is_refused_with_its_place_and_the_prompt_kept(
    text: bytes, place: str, tmp_path: Path
) -> None:
    succeed("prompt", "set", "-", input=MARKDOWN)
    before = versions()
    (tmp_path / "bad").write_bytes(text)
    for args, source in ((("prompt", "set", tmp_path / "bad"), b""), (("prompt", "set", "-"), text)):
        error = fail(*args, input=source)
        assert place in f"{error['title']} {error['message']}"
    assert versions() == before


@pytest.mark.parametrize(
    "name", ["absent.md", "", "~nobody-of-this-name/prompt.md", "x" * 300], ids=["absent", "folder", "user", "long"]
)
def test_missing_file_is_refused_by_name(name: str, tmp_path: Path) -> None:
    source = name if name.startswith("~") else str(tmp_path / name)  # the empty name is the folder
    assert source in fail("prompt", "set", source)["message"]
    assert versions() == []


@pytest.mark.parametrize("name", ["q.csv", "q.parquet", "q.jsonl"])
def test_file_of_questions_is_not_a_prompt(name: str, tmp_path: Path) -> None:
    data = b"PAR1\xff\xfe" if name.endswith("parquet") else b'{"text": "Open?"}\n{"text": "Shut?"}\n'
    (tmp_path / name).write_bytes(data)
    assert f"questions import {tmp_path / name}" in fail("prompt", "set", tmp_path / name)["next"]
    assert versions() == []


def test_set_says_which_headings_were_read_as_example_turns() -> None:
    told = succeed("prompt", "set", "-", input=f"{MARKDOWN}\n## Rules\n\nBe kind.\n")
    assert "1 example turn from the headings “## User” and “## Assistant” on lines 3, 7" in told.err
    assert "all text after line 3 is examples" in told.err
    assert "1 example turn." in told.out
    assert "heading" not in succeed("prompt", "set", "-", input="Be brief.\n\n## Rules\n\nBe kind.").err
    assert r"\## User" in succeed("prompt", "set", "--help").out


def test_reminder_is_shown_by_status_and_once_due_by_projects() -> None:
    assert get("prompt", "remind") == {"reminder": {"date": None, "due": False}}
    assert get("prompt", "remind", "9999-01-01") == {"reminder": {"date": "9999-01-01", "due": False}}
    assert "check the prompt on 9999-01-01" in succeed("status").out
    (listed,) = get("projects", "list")["projects"]
    assert listed["due"] is None
    succeed("prompt", "remind", "2020-02-29")
    assert get("status")["reminder"] == {"date": "2020-02-29", "due": True}
    assert "2020-02-29, due now" in succeed("status").out
    assert "prompt check due since 2020-02-29" in succeed("projects", "list").out
    assert "2020-02-30" in fail("prompt", "remind", "2020-02-30")["message"]
    assert get("status")["reminder"]["date"] == "2020-02-29"
    assert "No reminder" in succeed("prompt", "remind", "off").out
    assert "prompt check" not in succeed("projects", "list").out


class TestTry:
    """`prompt try` with a local server as the teacher."""

    @pytest.fixture
    def server(self) -> Iterator[HostileServer]:
        with served(good("SCORE: 1. ", "Yes.")) as server:
            succeed("new", "served", "--teacher", "peer", "--base-url", server.url)
            succeed("prompt", "set", "-", input=MARKDOWN)
            yield server

    def test_teacher_receives_prompt_and_question_and_nothing_is_stored(self, server: HostileServer) -> None:
        succeed("rules", "add", "A score", "kind=starts_with", "text=SCORE: 1")
        succeed("rules", "add", "No yes", "kind=forbidden", "texts=[Yes.]")
        data = get("prompt", "try", "Is it shut?", "And now?")
        assert [row["question"] for row in data["answers"]] == ["Is it shut?", "And now?"]
        first = data["answers"][0]
        assert first["answer"] == "SCORE: 1. Yes."
        assert [(rule["id"], rule["passed"]) for rule in first["rules"]] == [(1, True), (2, False)]
        assert server.requests[0].body["messages"] == [*MESSAGES, {"role": "user", "content": "Is it shut?"}]
        assert get("questions", "list")["count"] == 0
        text = succeed("prompt", "try", "Is it shut?").out
        assert "> Is it shut?" in text
        assert "SCORE: 1. Yes." in text
        assert "2 ✗" in text

    def test_stored_questions_are_asked_by_default(self, server: HostileServer) -> None:
        assert "prompt try" in fail("prompt", "try")["next"]
        assert fail("prompt", "try", "Is it shut?", " ")["title"] == "A question is empty."
        succeed("questions", "import", "-", input="\n".join(f"Question {n}?" for n in range(5)))
        answers = get("prompt", "try", "--count", "2")["answers"]
        assert [row["question"] for row in answers] == ["Question 0?", "Question 1?"]

    def test_stream_prints_one_json_line_per_answer(self, server: HostileServer) -> None:
        lines = succeed("prompt", "try", "Is it shut?", "And now?", "--json", "--stream").out.splitlines()
        assert [json.loads(line)["question"] for line in lines] == ["Is it shut?", "And now?"]

    def test_refusing_teacher_exits_with_failure(self, server: HostileServer) -> None:
        server.behaviours[:] = [status("401 Unauthorized", error("No such key"))]
        advice = fail("prompt", "try", "Is it shut?", status=1)["next"]
        assert advice == "Set a valid key for this host, then try again.", "there is no job to resume"

    def test_each_retry_is_reported_as_it_happens(self, server: HostileServer) -> None:
        server.behaviours[:] = [status("500 Internal Server Error", error("boom")), good("Yes.")]
        shown = succeed("prompt", "try", "Is it shut?", "--json", "--stream")
        assert "Retry 1 of 6" in shown.err
        assert "The server failed. HTTP 500: boom." in shown.err
        note, answer = map(json.loads, shown.out.splitlines())
        assert note["note"] in shown.err
        assert answer["answer"] == "Yes."

    def test_tokens_are_counted_for_student_and_teacher(self, server: HostileServer) -> None:
        assert len(get("prompt", "show")["tokens"]) == 2
        assert re.fullmatch(r"≈ \d+ tokens \(by length\)\n", call("prompt", "show").err), "equal counts print once"
        succeed("new", "known", "--teacher", "gpt-4o", "--base-url", server.url)
        shown = succeed("prompt", "set", "-", input="Be brief.").out
        assert "≈ 3 tokens (by length) for the student, 3 tokens (o200k_base) for the teacher, " in shown


def test_next_step_is_what_the_project_lacks() -> None:
    def next_step() -> str:
        text = f"Be brief, version {len(versions())}."
        return succeed("prompt", "set", "-", input=text).out.splitlines()[-1]

    assert next_step() == "Next: distill-tui rules import FILE, then distill-tui questions import FILE"
    succeed("rules", "add", "Says x.", "kind=contains", "text=x")
    assert next_step() == "Next: distill-tui questions import FILE"
    succeed("questions", "import", "-", input="Is it open?\n")
    assert next_step() == "Next: distill-tui generate"


def test_new_version_warns_of_a_rule_that_contradicts_it() -> None:
    succeed("rules", "add", "At most 40 words", "kind=length", "unit=words", "max=40")
    assert "rule" not in succeed("prompt", "set", "-", input="Answer in at most 40 words.").err
    warning = succeed("prompt", "set", "-", input="Answer in at most 20 words.").err
    assert "Line 1: “Answer in at most 20 words.” It says at most 20 words; rule 1 says at most 40." in warning
    per_sentence = succeed("prompt", "set", "-", input="No sentence may be longer than 20 words.").err
    assert "rule" not in per_sentence, "a limit per sentence is not a limit on the answer"

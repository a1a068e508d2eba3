"""`questions`: import formats and refusals, near duplicates, splits by whole topics, and synthesis by a teacher."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.example import Example, ExampleKey
from engine.records.prompt import Message, Prompt
from engine.records.question import SPLITS
from tests.engine.cli.calling import call, fail, get, succeed
from tests.engine.teachers.hostile_server import error, good, served, status

ROWS = [{"text": f"Question {n} about {topic}?", "category": topic} for topic in ("cards", "loans") for n in range(3)]
TEXTS = [row["text"] for row in ROWS]


@pytest.fixture(autouse=True)
def desk(home: Home) -> None:
    """A project without questions."""
    succeed("new", "desk")


def questions(*args: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get("questions", "list", *args)["questions"]
    return found


@pytest.mark.parametrize(
    ("name", "text", "topics"),
    [
        ("q.txt", "\n".join(TEXTS) + "\n\n", False),
        ("q.jsonl", "\n".join(map(json.dumps, ROWS)), True),
        ("q.csv", "text,category\n" + "".join(f"{row['text']},{row['category']}\n" for row in ROWS), True),
        ("q.tsv", "text\tcategory\n" + "".join(f"{row['text']}\t{row['category']}\n" for row in ROWS), True),
        ("-", "\n".join(TEXTS), False),
        ("-", "\n".join(map(json.dumps, ROWS)), True),
    ],
    ids=["text", "JSONL", "CSV", "TSV", "text from standard input", "JSONL from standard input"],
)
def test_every_format_gives_the_same_questions(name: str, text: str, topics: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    args = ("questions", "import", name if name == "-" else tmp_path / name)
    first = get(*args, input=text)
    assert first.pop("at") > "2020"
    assert first == {"added": 6, "duplicates": 0, "refused": [], "notes": []}
    rows = questions()
    assert [row["text"] for row in rows] == TEXTS
    assert [row["topic"] for row in rows] == ([row["category"] for row in ROWS] if topics else [""] * 6)
    assert {row["split"] for row in rows} == {None}
    assert get(*args, input=text) == {"added": 0, "duplicates": 6, "refused": [], "notes": [], "at": ""}
    assert "Added 0 questions; 6 existed already" in succeed(*args, input=text).out


def test_columns_can_be_named_and_the_limit_is_applied(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("nr;what;about;gold label\n1;Is it open?;hours;yes\n2;Is it shut?;hours;no\n")
    args = ("questions", "import", tmp_path / "q.csv", "--topic-column", "about", "--label-column", "gold label")
    assert fail(*args)["next"] == "Specify the question column.", "the JSON error names no option"
    assert "Specify the question column with --text-column." in call(*args).err
    assert "'which'" in fail(*args, "--text-column", "which")["title"]
    assert questions() == []
    done = succeed(*args, "--text-column", "what", "--limit", "1", "--json")
    assert done.data["added"] == 1
    assert "limit of 1" in done.err
    (row,) = questions()
    assert (row["topic"], row["label"], row["source"]) == ("hours", "yes", "q.csv")


def test_invalid_rows_are_refused_by_line_and_the_rest_imported(tmp_path: Path) -> None:
    lines = [b'{"text": "Is it open?"}', b"{broken", b'{"text": ""}', b"\xff", b'{"text": "Is it shut?"}']
    (tmp_path / "q.jsonl").write_bytes(b"\n".join(lines))
    done = succeed("questions", "import", tmp_path / "q.jsonl", "--json")
    assert (done.data["added"], [row["line"] for row in done.data["refused"]]) == (2, [2, 3, 4])
    assert all(row["reason"] for row in done.data["refused"])
    assert done.err.count("refused, line") == 3
    (tmp_path / "many.txt").write_bytes(b"\n".join([b"Is it far?", *[b"\xff"] * 40]))
    shown = succeed("questions", "import", tmp_path / "many.txt")
    assert shown.err.count("refused, line") == 10
    assert "30 more" in shown.err
    assert "40 refused" in shown.out


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [("q.jsonl", b"", "It is empty."), ("q.txt", b"\n \n", "It is empty."),
     ("q.jsonl", b'{"foo": "Is it open?"}\n', "1 line refused; line 1: no question in it.")],
)  # fmt: skip
def test_file_without_questions_is_refused(name: str, data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    for args in ((), ("--dry-run",)):
        error = fail("questions", "import", tmp_path / name, *args)
        assert (name in error["title"], error["message"]) == (True, reason)
        assert error["next"]


@pytest.mark.parametrize(
    ("name", "data"),
    [("absent.txt", None), ("q.xlsx", b"PK"), ("q.csv", b""), ("q.csv", b'text\n"open'), ("q.csv", b"text,text\na,b\n"),
     ("q.csv", b"text\n\xff\n"), ("q.txt", "Is it open?".encode("utf-16")), ("q.parquet", b"no parquet")],
)  # fmt: skip
def test_unreadable_file_is_refused_and_the_questions_kept(name: str, data: bytes | None, tmp_path: Path) -> None:
    succeed("questions", "import", "-", input="Is it open?")
    before = questions()
    if data is not None:
        (tmp_path / name).write_bytes(data)
    failure = fail("questions", "import", tmp_path / name)
    assert name in f"{failure['title']} {failure['message']}"
    assert questions() == before


def test_import_dry_run_reports_and_stores_nothing(tmp_path: Path) -> None:
    succeed("questions", "import", "-", input="Is it open?")
    (tmp_path / "q.txt").write_text("is it OPEN?\nWhere is it?\nWhere is it?\n" + "".join(f"{n}?\n" for n in range(30)))
    args = ("questions", "import", tmp_path / "q.txt", "--dry-run")
    report = get(*args)
    assert (report["added"], report["duplicates"], len(report["first"])) == (31, 2, 20)
    assert report["first"][0] == {"text": "Where is it?", "topic": "", "label": None, "split": None, "turns": 1}
    assert "Would add 31 questions; 2 existed already" in succeed(*args).out
    assert len(questions()) == 1


def test_split_dry_run_reports_and_splits_nothing() -> None:
    rows = [{"text": f"{topic} number {n}, how is it?", "topic": topic} for topic in "abcdefghij" for n in range(4)]
    succeed("questions", "import", "-", input="\n".join(map(json.dumps, rows)))
    report = get("questions", "split", "--dry-run")
    assert {row["split"] for row in questions()} == {None}
    assert report["drawn"] == 40
    assert [row["topic"] for row in report["topics"]] == list("abcdefghij")
    assert all(sorted(row[name] for name in SPLITS) == [0, 0, 4] for row in report["topics"])
    assert "Would assign: train 32" in succeed("questions", "split", "--dry-run").out
    done = get("questions", "split")
    assert done == report
    assert get("questions", "split")["drawn"] == 0


def test_near_duplicates_are_listed_by_a_dry_run_and_then_removed() -> None:
    question = "How do I send money to an account in another country with my new card"
    succeed("questions", "import", "-", input=f"{question}?\n{question} please?\nWhere is it?\n")
    dry = get("questions", "dedupe", "--dry-run")
    assert (dry["removed"], [(pair["kept"], pair["dropped"]) for pair in dry["pairs"]]) == (0, [(1, 2)])
    assert 0.7 <= dry["pairs"][0]["similarity"] < 1
    assert len(questions()) == 3
    assert "Would remove 1 of 3" in succeed("questions", "dedupe", "--dry-run").out
    strict = get("questions", "dedupe", "--threshold", "1")
    assert strict == {"removed": 0, "answers": 0, "pairs": []}
    done = succeed("questions", "dedupe", "--json")
    assert done.data["removed"] == 1
    assert "≈" in done.err
    assert [row["id"] for row in questions()] == [1, 3]
    for threshold in ("0", "1.5", "nan", "much"):
        fail("questions", "dedupe", "--threshold", threshold)


def test_dedupe_reports_the_answers_removed_with_their_questions(home: Home) -> None:
    question = "How do I send money to an account in another country with my new card"
    succeed("questions", "import", "-", input=f"{question}?\n{question} please?\n")
    with Project.open(home.projects / "desk") as project:
        sha256 = project.prompts.set(Prompt((Message("system", "Be brief."),))).prompt.sha256
        keys = [ExampleKey(sha256, number, "starter", attempt) for number, attempt in ((1, 0), (2, 0), (2, 1))]
        project.examples.add([Example(key, "Yes.", "stop", "local") for key in keys])
    dry = succeed("questions", "dedupe", "--dry-run", "--json")
    assert (dry.data["removed"], dry.data["answers"]) == (0, 2)
    assert succeed("questions", "dedupe").out == "Removed 1 of 2 questions, and 2 answers to them.\n"


def test_split_keeps_topics_whole_and_earlier_assignments() -> None:
    rows = [{"text": f"{topic} number {n}, how is it?", "topic": topic} for topic in "abcdefghij" for n in range(4)]
    succeed("questions", "import", "-", input="\n".join(map(json.dumps, rows)))
    counts = get("questions", "split", "--test", "0.2", "--validation", "0.2")["splits"]
    assert counts == {"train": 24, "validation": 8, "test": 8}
    drawn = {row["topic"]: row["split"] for row in questions()}
    assert all(row["split"] == drawn[row["topic"]] for row in questions())
    more = [{"text": f"{topic} once more?", "topic": topic} for topic in "abk"]
    succeed("questions", "import", "-", input="\n".join(map(json.dumps, more)))
    assert "train " in succeed("questions", "split", "--seed", "9").out
    after = {row["topic"]: row["split"] for row in questions()}
    assert {topic: after[topic] for topic in drawn} == drawn
    assert after["k"] in SPLITS
    for name in SPLITS:
        assert {row["split"] for row in questions("--split", name)} == {name}


@pytest.mark.parametrize(
    "args", [("--test", "0.5", "--validation", "0.5"), ("--test", "0"), ("--test", "nan"), ("--seed", "x")]
)
def test_invalid_split_options_are_refused_and_nothing_is_split(args: tuple[str, ...]) -> None:
    succeed("questions", "import", "-", input="Is it open?\nWhere is it?")
    fail("questions", "split", *args)
    assert {row["split"] for row in questions()} == {None}


def test_split_without_training_questions_on_a_large_topic_is_reported() -> None:
    rows = [{"text": f"Opening hours, day {n}, how is it?", "topic": "opening"} for n in range(2)]
    rows += [{"text": f"loan number {n}, how is it?", "topic": "loans"} for n in range(30)]
    rows += [{"text": f"card number {n}, how is it?", "topic": "cards"} for n in range(22)]
    succeed("questions", "import", "-", input="\n".join(map(json.dumps, rows)))
    done = succeed("questions", "split", "--json")
    assert done.data["notes"][1].startswith("No question on “cards” is trained: all 22 are in ")
    assert done.err.splitlines() == done.data["notes"]


def test_list_can_be_filtered_and_limited(new_project: Path) -> None:
    data = get("questions", "list", "--topic", "fees", "--limit", "3")
    assert (data["count"], len(data["questions"])) == (8, 3)
    assert {row["split"] for row in data["questions"]} == {"validation"}
    assert set(data["questions"][0]) >= {"id", "split", "topic", "label", "source", "text"}
    text = succeed("questions", "list", "--topic", "fees", "--limit", "3")
    assert len(text.out.splitlines()) == 3
    assert text.err == "8 questions: 8 validation\n"
    assert fail("questions", "list", "--topic", "nothing")["title"] == "There is no topic “nothing”."
    fail("questions", "list", "--split", "exam")
    fail("questions", "list", "--limit", "0")


def test_multiline_question_is_one_line_of_the_list() -> None:
    succeed("questions", "import", "-", input=json.dumps({"text": "One\n    9  train  x  Two", "topic": "a\nb"}))
    assert len(succeed("questions", "list").out.splitlines()) == 1
    assert questions()[0]["text"] == "One\n    9  train  x  Two"


def test_teacher_synthesizes_topics_and_questions() -> None:
    replies = "1. opening hours\n2. loans\n", "1. Is it open?\n2. When?\n", "1. Can I lend?\n2. When?\n"
    with served(*map(good, replies)) as server:
        succeed("new", "served", "--teacher", "peer", "--base-url", server.url)
        assert "prompt set" in fail("questions", "synthesize")["next"]
        succeed("prompt", "set", "-", input="Be brief.")
        done = succeed("questions", "synthesize", "--topics", "2", "--per-topic", "2", "--json")
    assert done.data["added"] == 3
    assert (done.data["job"]["kind"], done.data["job"]["state"]) == ("synthesize", "done")
    assert [line for line in done.err.splitlines() if ": " in line] == ["opening hours: 2", "loans: 1"]
    rows = questions()
    assert [(row["topic"], row["text"]) for row in rows] == [
        ("opening hours", "Is it open?"), ("opening hours", "When?"), ("loans", "Can I lend?"),
    ]  # fmt: skip
    assert {row["source"] for row in rows} == {"synthesis"}


def test_paid_questions_are_kept_if_a_later_request_fails() -> None:
    refusal = status("401 Unauthorized", error("No such key"))
    with served(good("1. hours\n2. loans"), good("1. Is it open?"), refusal) as server:
        succeed("new", "served", "--teacher", "peer", "--base-url", server.url)
        succeed("prompt", "set", "-", input="Be brief.")
        fail("questions", "synthesize", "--topics", "2", status=1)
    assert [row["text"] for row in questions()] == ["Is it open?"]


@pytest.mark.parametrize(("verb", "title"), [("split", "split"), ("dedupe", "compare")])
def test_without_questions_there_is_nothing_to_do(verb: str, title: str) -> None:
    error = fail("questions", verb)
    assert (error["title"], error["message"]) == (f"There are no questions to {title}.", "The project has none.")

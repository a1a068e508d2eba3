"""Every source of questions, valid and broken: nothing is truncated, and every refusal says where and why."""

import io
import json
import math
import sys
from pathlib import Path

import pytest

from engine.errors import NotFoundError, UsageError
from engine.questions import importers, lines
from engine.questions.importers import RefusedRow, import_questions
from engine.records.prompt import Message


def write(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def jsonl(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def turn(role: str, content: object, **more: object) -> dict[str, object]:
    return {"role": role, "content": content, **more}


def test_text_file_gives_one_question_per_line(tmp_path: Path) -> None:
    result = import_questions(write(tmp_path, "questions.txt", "\ufeffWhere is it?\r\n\n  Is it lost? \nLast"))
    assert [q.text for q in result.questions] == ["Where is it?", "Is it lost?", "Last"]
    assert {q.source for q in result.questions} == {"questions.txt"}
    assert result.refused == ()


def test_invalid_text_lines_are_refused_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 40)
    monkeypatch.setattr(lines, "_TEXT_WITHIN_BYTES", 40)
    source = write(tmp_path, "a.txt", b"one\ncaf\xe9\n" + b"x" * 95 + b"\na\0b\nlast" + b" " * 90)
    result = import_questions(source)
    assert [q.text for q in result.questions] == ["one"]
    assert result.refused == (
        RefusedRow(2, "not UTF-8: byte 4 is 0xe9"),
        RefusedRow(3, "longer than 0 MB"),
        RefusedRow(4, "it contains a NUL character"),
        RefusedRow(5, "longer than 0 MB"),
    )


@pytest.mark.parametrize("name", ["program", "a.txt", "a.jsonl", "a.csv"])
def test_file_that_is_not_text_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=rf"{name} cannot be read. It is not text: line 2 contains a NUL byte"):
        import_questions(write(tmp_path, name, b"text\n\x7fELF\x02\x00\nWhere is it?\n"))


def test_folder_that_datasets_did_not_save_is_refused_by_its_whole_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        import_questions(".")
    assert str(tmp_path) in caught.value.title
    assert "neither dataset_dict.json nor state.json" in caught.value.message


def test_jsonl_columns_are_guessed_or_named(tmp_path: Path) -> None:
    rows = [
        {"text": "Where?", "topic": "card", "label": "CARDS"},
        {"question": "How?", "category": 3},
        {"prompt": "ctx", "question": "Asked?"},
    ]
    result = import_questions(write(tmp_path, "a.jsonl", jsonl(*rows)))
    assert [(q.text, q.topic, q.label) for q in result.questions] == [
        ("Where?", "card", "CARDS"),
        ("How?", "3", None),
        ("Asked?", "", None),
    ]
    named = import_questions(
        write(tmp_path, "b.jsonl", jsonl({"q": "Where?", "t": "card", "text": "no", "gold_id": 7})),
        text_column="q", topic_column="t", label_column="gold_id",
    )  # fmt: skip
    assert [(q.text, q.topic, q.label) for q in named.questions] == [("Where?", "card", "7")]


def test_questions_have_the_split_of_their_file_or_the_chosen_one(tmp_path: Path) -> None:
    splits = ["train", "Test", "dev", None, "", "train"]
    file = write(tmp_path, "a.jsonl", jsonl(*({"text": f"q{n}", "split": each} for n, each in enumerate(splits))))
    as_in_file = import_questions(file)
    assert [q.split for q in as_in_file.questions] == ["train", "test", "validation", None, None, "train"]
    assert as_in_file.notes == ("splits as in a.jsonl: 2 train, 1 validation, 1 test, 2 without one",)
    assert [q.split for q in import_questions(file, split="later").questions] == [None] * 6
    assert [q.split for q in import_questions(file, split="test").questions] == ["test"] * 6
    table = write(tmp_path, "a.csv", "text,split\nWhere?,fold 1\nWhen?,validation\n")
    read = import_questions(table)
    assert [q.split for q in read.questions] == ["validation"]
    assert [refusal.reason for refusal in read.refused] == ["its split is 'fold 1', not one of train, validation, test"]
    assert import_questions(table, split="later").refused == ()


def test_system_messages_and_last_answers_are_dropped_and_counted(tmp_path: Path) -> None:
    chat = [turn("system", "Be kind."), turn("user", "Hi"), turn("assistant", "Yes?"), turn("user", "Where?")]
    rows = [
        {"messages": [*chat, turn("assistant", "There.")], "model": "m"},
        {"input": chat[1:2], "choices": [{"message": turn("assistant", "a", refusal=None, tool_calls=None)}]},
        {"messages": [turn("developer", "x"), turn("user", [{"type": "text", "text": "Parts"}])], "tools": []},
    ]
    result = import_questions(write(tmp_path, "a.jsonl", jsonl(*rows)))
    assert result.refused == ()
    assert result.questions[0].messages == (
        Message("user", "Hi"),
        Message("assistant", "Yes?"),
        Message("user", "Where?"),
    )
    assert [q.text for q in result.questions] == ["Where?", "Hi", "Parts"]
    assert result.notes == (
        "dropped 2 system messages: questions have none",
        "dropped 1 last answer: the teacher answers again",
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": [turn("user", "a"), turn("assistant", None, tool_calls=[{}])]}, "message 2: tool calls"),
        ({"messages": [turn("user", "a"), turn("tool", "b")]}, "message 2: tool calls are not supported (role tool)"),
        ({"messages": [turn("user", "a")], "tools": [{}]}, "it declares tools"),
        ({"messages": [turn("user", [{"type": "image_url"}])]}, "message 1: images are not supported"),
        ({"messages": [turn("critic", "a")]}, "message 1: unknown role 'critic'"),
        ({"messages": [turn("assistant", "a")]}, "no user message"),
        ({"messages": [turn("system", "a")]}, "no user message"),
        ({"messages": [turn("user", "a"), turn("user", "b")]}, "do not alternate"),
        ({"messages": [turn("user", "a\ud800")]}, "message 1: character 2 is half a surrogate pair"),
        ({"messages": [turn("user", "a")] * 501}, "more than 500 messages"),
        ({"text": "a" * 1_000_001}, "longer than 1000000 characters"),
        ({"text": ""}, "no question in it"),
        ({"other": "a"}, "no question in it"),
        ({"text": 3}, "the question is a number, not text"),
        ({"text": "a", "topic": ["b"]}, "topic is a list, not text"),
        (["a"], "not a JSON object"),
    ],
)
def test_invalid_row_is_refused_with_its_line_and_reason(tmp_path: Path, row: object, reason: str) -> None:
    result = import_questions(write(tmp_path, "a.jsonl", jsonl({"text": "good"}, row, {"text": "good too"})))
    assert [q.text for q in result.questions] == ["good", "good too"]
    (refusal,) = result.refused
    assert refusal.line == 2
    assert reason in refusal.reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a', "invalid JSON: Unterminated string starting at character 10"),
        ('{"text": "a"', "invalid JSON: Expecting ',' delimiter at character 13"),
        ('{"text": ' + "[" * 100 + "]" * 100 + "}", "nested deeper than 64"),
        ('{"text": ' + "[" * 200_000, "nested too deeply"),
        ('{"text": "a", "n": ' + "9" * 5_000 + "}", "invalid JSON"),
    ],
)
def test_broken_json_is_refused_with_its_line(tmp_path: Path, line: str, reason: str) -> None:
    result = import_questions(write(tmp_path, "a.jsonl", f"\n{line}\n"))
    assert result.questions == ()
    assert result.refused[0].line == 2
    assert reason in result.refused[0].reason


def test_csv_and_tsv_are_imported(tmp_path: Path) -> None:
    content = 'id,text,topic\n1,"Where, exactly,\nis it?",card\n\n2,short\n3,"He said ""no""",\n'
    result = import_questions(write(tmp_path, "a.csv", content))
    assert [(q.text, q.topic) for q in result.questions] == [("Where, exactly,\nis it?", "card"), ('He said "no"', "")]
    assert result.refused == (RefusedRow(5, "2 fields, but the header has 3"),)
    tabs = import_questions(write(tmp_path, "a.tsv", "q\tintent\nWhere?\tcard\n"), text_column="q")
    assert [(q.text, q.topic) for q in tabs.questions] == [("Where?", "card")]
    semicolons = import_questions(write(tmp_path, "b.csv", "text;label\nWhere, then?;X\n"))
    assert [(q.text, q.label) for q in semicolons.questions] == [("Where, then?", "X")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "It is empty"),
        ("a,b\n1,2\n", "No column looks like the question. Columns: 'a', 'b'"),
        ("text,text\n1,2\n", "Two columns have the same name"),
        ('text\n"open', "Line 2: unexpected end of data"),
        ('text\n"a"b\n', "Line 2"),
        ("text\n" + "a" * 1_000_001, "field larger than field limit"),
        (b"text\ncaf\xe9\n", "Line 2: not UTF-8"),
        ("text\n".encode("utf-16"), "It is UTF-16"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_broken_csv_is_an_error_that_says_where(tmp_path: Path, content: str | bytes, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        import_questions(write(tmp_path, "a.csv", content))
    assert expected in str(caught.value)


def test_missing_column_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no column 'nope'\. Columns: 'text'"):
        import_questions(write(tmp_path, "a.csv", "text\na\n"), topic_column="nope")


def test_parquet_is_imported_and_broken_files_are_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    chats = [[turn("user", "Hi"), turn("assistant", "Yes")], [turn("user", "Where?")]]
    pq.write_table(pa.table({"messages": chats, "topic": ["a", None], "blob": [b"1", b"2"]}), tmp_path / "a.parquet")
    result = import_questions(str(tmp_path / "a.parquet"))
    assert [(q.text, q.topic) for q in result.questions] == [("Hi", "a"), ("Where?", "")]
    with pytest.raises(UsageError, match=r"b\.parquet cannot be read"):
        import_questions(write(tmp_path, "b.parquet", "PAR1 not really"))
    no_text = pa.Array.from_buffers(pa.string(), 1, pa.array([b"caf\xe9"]).buffers())
    no_date = pa.array([2**62], pa.timestamp("us"))
    for number, column in enumerate((no_text, no_date)):
        pq.write_table(pa.table({"text": column}), tmp_path / f"c{number}.parquet")
        with pytest.raises(UsageError, match=rf"c{number}\.parquet cannot be read"):
            import_questions(str(tmp_path / f"c{number}.parquet"))


def test_integer_labels_with_gaps_are_the_same_in_parquet_and_jsonl(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[str, list[object]] = {
        "text": ["a", "b", "c", "d", "e"],
        "label": [1.0, None, math.nan, 0.5, math.inf],
        "topic": [30.0, 2.0, 2.0, 2.0, 2.0],
    }
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    same = jsonl(*(dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)))
    for file in (str(tmp_path / "a.parquet"), write(tmp_path, "a.jsonl", same)):
        result = import_questions(file)
        assert [(q.text, q.label, q.topic) for q in result.questions] == [
            ("a", "1", "30"), ("b", None, "2"), ("c", None, "2"),
        ]  # fmt: skip
        assert [refusal.reason for refusal in result.refused] == ["label is a number, not text"] * 2


def test_datasets_folder_gives_label_names_and_reports_its_split(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    table = datasets.Dataset.from_dict({"text": ["a b", "c d"], "label": [1, 0]}, features=features)
    datasets.DatasetDict({"test": table, "train": table}).save_to_disk(str(tmp_path / "saved"))
    result = import_questions(str(tmp_path / "saved"), limit=1)
    assert [(q.text, q.label, q.source) for q in result.questions] == [("a b", "yes", "saved")]
    assert result.notes == (
        "read part train; not read: test (import with the split test to read it)",
        "stopped at the limit of 1; there are more rows",
    )
    held_out = import_questions(str(tmp_path / "saved"), split="test")
    assert [question.split for question in held_out.questions] == ["test", "test"]
    assert held_out.notes == ("read part test; not read: train (import with the split train to read it)",)
    with pytest.raises(UsageError, match=r"The data set has no validation part\. Its parts: test, train"):
        import_questions(str(tmp_path / "saved"), split="validation")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty is not a folder of questions"):
        import_questions(str(tmp_path / "empty"))
    (arrow,) = (tmp_path / "saved" / "test").glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes().replace(b"a bc d", b"a \xffc d"))
    with pytest.raises(UsageError, match="test is not a folder of questions"):
        import_questions(str(tmp_path / "saved" / "test"))
    for state in ("{}", "[]", "7"):
        (tmp_path / "saved" / "train" / "state.json").write_text(state)
        with pytest.raises(UsageError, match="train is not a folder of questions"):
            import_questions(str(tmp_path / "saved" / "train"))


@pytest.mark.parametrize(
    ("source", "error"), [("absent.jsonl", NotFoundError), ("no/file.csv", NotFoundError), ("acme/none", NotFoundError)]
)
def test_missing_source_is_reported(source: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=source):
        import_questions(source)


@pytest.mark.parametrize("name", ["a.md", "a.json", "a.gz"])
def test_other_formats_are_refused_with_a_list_of_supported_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"not a format for questions\. Formats: \.txt"):
        import_questions(write(tmp_path, name, "a"))


@pytest.mark.parametrize(
    ("content", "texts"),
    [('\n{"text": "a"}\n', ["a"]), ("a\n{b}\n", ["a", "{b}"])],
)
def test_format_of_standard_input_and_of_files_without_suffix_is_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, texts: list[str]
) -> None:
    assert [q.text for q in import_questions(write(tmp_path, "piped", content)).questions] == texts
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    result = import_questions("-")
    assert [q.text for q in result.questions] == texts
    assert all(q.source == "standard input" for q in result.questions)


def test_limit_stops_the_import_and_too_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path, "a.txt", "a\nb\nc\n")
    limited = import_questions(source, limit=2)
    assert [q.text for q in limited.questions] == ["a", "b"]
    assert limited.notes == ("stopped at the limit of 2; there are more rows",)
    assert import_questions(source, limit=3).notes == ()
    monkeypatch.setattr(importers, "MAX_ROWS", 2)
    with pytest.raises(UsageError, match="more than 2 rows"):
        import_questions(source)

"""The end of what a job printed."""

from pathlib import Path

from engine.jobs.launch import LOG_FILE
from engine.jobs.printed import END_BYTES, end_of_log


def test_end_of_a_long_log_starts_with_a_whole_line(tmp_path: Path) -> None:
    assert end_of_log(tmp_path) == ""
    (tmp_path / LOG_FILE).write_text("one\ntwo")
    assert end_of_log(tmp_path) == "one\ntwo"
    lines = "".join(f"line {number} ö\n" for number in range(END_BYTES // 5))
    (tmp_path / LOG_FILE).write_text(lines)
    found = end_of_log(tmp_path)
    assert END_BYTES - 50 < len(found.encode()) <= END_BYTES
    assert lines.endswith(found)
    assert found.startswith("line ")


def test_invalid_utf8_becomes_replacement_characters(tmp_path: Path) -> None:
    (tmp_path / LOG_FILE).write_bytes(b"a\xff")
    assert end_of_log(tmp_path) == "a\ufffd"

"""The control file says one of three words, or nothing."""

from pathlib import Path

import pytest

from engine.jobs.protocol import Wish
from engine.jobs.wishes import CONTROL_FILE, read_wish, write_wish


@pytest.mark.parametrize("wish", ["run", "pause", "stop"])
def test_a_wish_is_read_as_it_was_written(tmp_path: Path, wish: Wish) -> None:
    write_wish(tmp_path, wish)
    assert read_wish(tmp_path) == wish
    assert [path.name for path in tmp_path.iterdir()] == [CONTROL_FILE]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"stop"', b'{"wish": 3}', b'{"wish": "explode"}', b"\xff"])
def test_what_is_no_wish_lets_the_job_run(tmp_path: Path, content: bytes) -> None:
    assert read_wish(tmp_path) == "run"
    (tmp_path / CONTROL_FILE).write_bytes(content)
    assert read_wish(tmp_path) == "run"

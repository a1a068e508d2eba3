"""The control file holds one of the known requests; anything else lets the job run."""

from pathlib import Path
from typing import get_args

import pytest

from engine.jobs.protocol import Wish
from engine.jobs.wishes import CONTROL_FILE, read_wish, write_wish


@pytest.mark.parametrize("requested", get_args(Wish))
def test_request_is_read_as_written(tmp_path: Path, requested: Wish) -> None:
    write_wish(tmp_path, requested)
    assert read_wish(tmp_path) == requested
    assert [path.name for path in tmp_path.iterdir()] == [CONTROL_FILE]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"stop"', b'{"wish": 3}', b'{"wish": "explode"}', b"\xff"])
def test_invalid_request_lets_the_job_run(tmp_path: Path, content: bytes) -> None:
    assert read_wish(tmp_path) == "run"
    (tmp_path / CONTROL_FILE).write_bytes(content)
    assert read_wish(tmp_path) == "run"

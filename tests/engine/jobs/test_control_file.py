"""The control file holds one of the known commands; anything else lets the job run."""

from pathlib import Path
from typing import get_args

import pytest

from engine.jobs.control_file import CONTROL_FILE, read_command, write_command
from engine.jobs.protocol import Command


@pytest.mark.parametrize("command", get_args(Command))
def test_command_is_read_as_written(tmp_path: Path, command: Command) -> None:
    write_command(tmp_path, command)
    assert read_command(tmp_path) == command
    assert [path.name for path in tmp_path.iterdir()] == [CONTROL_FILE]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"stop"', b'{"wish": 3}', b'{"wish": "explode"}', b"\xff"])
def test_invalid_command_lets_the_job_run(tmp_path: Path, content: bytes) -> None:
    assert read_command(tmp_path) == "run"
    (tmp_path / CONTROL_FILE).write_bytes(content)
    assert read_command(tmp_path) == "run"

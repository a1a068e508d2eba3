"""The control file holds one of the known commands; anything else lets the job run."""

from pathlib import Path
from typing import get_args

import pytest

from engine.jobs.control_file import CONTROL_FILE, asked_of, read_command, write_command
from engine.jobs.protocol import Command
from engine.records.job import Job, JobState


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


@pytest.mark.parametrize(
    ("state", "command", "asked"),
    [
        ("running", "run", ""), ("running", "keep", ""), ("running", "pause", "pausing"),
        ("waiting", "stop", "stopping"), ("paused", "pause", ""), ("paused", "stop", "stopping"),
        ("stopped", "stop", ""), ("lost", "pause", ""),
    ],
)  # fmt: skip
def test_request_names_a_live_job_until_it_is_carried_out(
    tmp_path: Path, state: JobState, command: Command, asked: str
) -> None:
    job = Job(1, "train", state, "{}", "jobs/1", "run")
    (tmp_path / job.folder).mkdir(parents=True)
    write_command(tmp_path / job.folder, command)
    assert asked_of(tmp_path, job) == asked

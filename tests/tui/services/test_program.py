"""The program's commands, run in separate processes: results, errors and log lines."""

from pathlib import Path

import pytest

from engine.errors import DistillError, JobError
from engine.paths import Home
from tests.tui.seeds import make_stage
from tui.services import program
from tui.services.program import carry_out


def test_result_is_the_printed_object_and_log_lines_arrive_meanwhile(home: Home) -> None:
    lines: list[str] = []
    result = carry_out(["prompt", "show"], make_stage(home, "new"), home, lines.append)
    assert isinstance(result["messages"], list)
    assert any("tokens" in line for line in lines)


def test_command_error_keeps_its_title_and_next_step(home: Home) -> None:
    with pytest.raises(DistillError) as caught:
        carry_out(["export"], make_stage(home, "new"), home)
    error = caught.value
    assert error.title == "There is no run to release."
    assert error.next == "Train one: distill-tui train"


def test_result_larger_than_a_pipe_buffer_arrives_whole(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a full pipe, the process would wait for its reader, which waits for the process."""
    code = "import json, sys; print('on the way', file=sys.stderr); print(json.dumps({'text': 'x' * 1_000_000}))"
    monkeypatch.setattr(program, "_PROGRAM", code)
    assert carry_out(["any"], Path("/tmp"), home) == {"text": "x" * 1_000_000}


def test_process_that_exits_without_a_result_raises_its_last_output(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_PROGRAM", "import sys; sys.exit('out of memory')")
    with pytest.raises(JobError, match="out of memory"):
        carry_out(["curate", "freeze"], Path("/tmp"), home)


def test_command_runs_in_its_own_session(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_PROGRAM", "import os; print('{\"leads\": %d}' % (os.getsid(0) == os.getpid()))")
    assert carry_out(["any"], Path("/tmp"), home) == {"leads": 1}

"""The program's own commands in processes of their own: their answers, their errors, what they say on the way."""

from pathlib import Path

import pytest

from engine.errors import DistillError, JobError
from engine.paths import Home
from tests.tui.seeds import make_stage
from tui.services import program
from tui.services.program import carry_out


def test_an_answer_is_the_object_that_the_command_prints_and_it_is_heard_on_the_way(home: Home) -> None:
    said: list[str] = []
    answer = carry_out(["prompt", "show"], make_stage(home, "new"), home, said.append)
    assert isinstance(answer["messages"], list)
    assert any("tokens" in line for line in said)


def test_an_error_of_the_command_keeps_its_three_sentences(home: Home) -> None:
    with pytest.raises(DistillError) as caught:
        carry_out(["export"], make_stage(home, "new"), home)
    error = caught.value
    assert error.title == "There is no run to release."
    assert error.next == "Train one: distill-tui train"


def test_an_answer_longer_than_a_pipe_arrives_whole(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pipe, the process would wait for its reader, who waits for the process."""
    code = "import json, sys; print('on the way', file=sys.stderr); print(json.dumps({'text': 'x' * 1_000_000}))"
    monkeypatch.setattr(program, "_PROGRAM", code)
    assert carry_out(["any"], Path("/tmp"), home) == {"text": "x" * 1_000_000}


def test_a_process_that_dies_without_an_answer_is_an_error_with_its_last_words(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_PROGRAM", "import sys; sys.exit('out of memory')")
    with pytest.raises(JobError, match="out of memory"):
        carry_out(["curate", "freeze"], Path("/tmp"), home)


def test_it_is_in_a_session_of_its_own(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_PROGRAM", "import os; print('{\"leads\": %d}' % (os.getsid(0) == os.getpid()))")
    assert carry_out(["any"], Path("/tmp"), home) == {"leads": 1}

"""Concurrent and killed processes on one project: nothing committed is lost or half-written."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from engine.project import Project
from engine.records.prompt import Message
from engine.records.question import Question
from engine.store.connection import COMMITS_PER_CHECKPOINT

_WRITER = Path(__file__).with_name("writer.py")


@pytest.fixture
def shared(project: Project) -> Project:
    project.questions.add([Question((Message("user", "Why?"),))])
    return project


def _start(project: Project, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(_WRITER), str(project.folder), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
    )


def _pipes(writer: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert writer.stdin is not None
    assert writer.stdout is not None
    return writer.stdin, writer.stdout


def test_two_writers_and_a_reader_see_consistent_data(shared: Project) -> None:
    count = 2 * COMMITS_PER_CHECKPOINT
    writers = [_start(shared, count) for _ in range(2)]
    for writer in writers:
        assert _pipes(writer)[1].readline() == "ready\n"
    for writer in writers:
        _pipes(writer)[0].write("\n")
        _pipes(writer)[0].flush()
    seen = 0
    while any(writer.poll() is None for writer in writers):
        with shared.snapshot():
            counts = shared.examples.counts()
            # The cost and the decision are stored in the same transaction as the answer.
            assert shared.spending.usd() == counts.total == counts.accepted
        assert counts.total >= seen
        seen = counts.total
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert shared.examples.counts().total == count
    assert shared._connection.number("SELECT count(*) FROM decisions") == 2 * count
    assert shared.check() == ()


@pytest.mark.parametrize("kills", [8, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_writer_loses_nothing_it_reported_as_stored(shared: Project, kills: int) -> None:
    generator = random.Random(kills)
    reported = 0
    for _ in range(kills):
        writer = _start(shared, 1_000_000)
        into, out = _pipes(writer)
        assert out.readline() == "ready\n"
        into.write("\n")
        into.flush()
        time.sleep(generator.uniform(0.0, 0.4))  # kills at a random moment
        writer.kill()
        reported = max([reported, *(int(line) + 1 for line in out.read().splitlines() if line)])
        writer.communicate()
        with Project.open(shared.folder) as reopened:
            counts = reopened.examples.counts()
            assert reported <= counts.total == counts.accepted <= reported + 1
            assert reopened.spending.usd() == counts.total
            assert reopened.check() == ()
        reported = counts.total
    assert reported > 0

"""`serve` and `chat` as a person has them: a job of its own, asked by another process, ended by a command."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pexpect
import psutil
import pytest

from engine.errors import JobError
from engine.folders import remember
from engine.jobs import control
from engine.jobs.liveness import is_alive
from engine.paths import Home
from engine.project import Project
from tests.engine.cli.calling import Call, call, fail, get, succeed
from tests.engine.jobs.support import wait_until
from tests.trained import PROMPT, make_tiny_adapter, make_trained_project


@pytest.fixture
def trained(home: Home, tiny_base: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of a project with a trained run; whatever still serves it at the end is stopped."""
    adapter = make_tiny_adapter(tiny_base, tmp_path / "adapter")
    with make_trained_project(home, tiny_base, adapter) as project:
        remember(project.folder, home)
        yield project.folder
        for job in project.jobs.live():
            with suppress(JobError):  # it ended meanwhile
                control.stop(project, job, force=True, grace_s=10)
            wait_until(lambda job=job: not is_alive(job))


def jobs_of(folder: Path, home: Home) -> list[tuple[str, str]]:
    with Project.open(folder, home) as project:
        return [(job.kind, job.state) for job in project.jobs.all()]


def test_a_server_is_started_asked_and_stopped(trained: Path, home: Home) -> None:
    told = get("serve", "--detach", "--run", "1")
    assert told["models"] == ["unprompted", "prompted", "run-1", "run-1+prompt"]
    assert told["job"]["kind"] == "serve"
    assert told["job"]["state"] == "running"
    assert told["base_url"] in told["job"]["note"]
    file = Path(told["token_file"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = json.loads(file.read_text())["token"]

    again = fail("serve", "--detach", status=1)
    assert "already being served" in again["title"]

    text = succeed("chat", "Is it open?", "--arm", "prompted", "--arm", "run-1@50", "--seed", "3",
                   "--max-answer-tokens", "12")  # fmt: skip
    assert [line for line in text.out.splitlines() if line.startswith("── ")] == ["── prompted", "── run-1@50"]
    assert text.out.count("first token after") == 2
    assert text.out.count("2 ✓") + text.out.count("2 ✗") == 2
    data = get("chat", "Is it open?", "--arm", "prompted", "--arm", "run-1@50", "--seed", "3",
               "--max-answer-tokens", "12")  # fmt: skip
    assert [answer["arm"] for answer in data["answers"]] == ["prompted", "run-1@50"]
    for answer in data["answers"]:
        assert answer["provenance"]["arm"] == answer["arm"]
        assert [rule["id"] for rule in answer["rules"]] == [1, 2]
        assert answer["completion_tokens"] <= 12
        assert answer["seconds"] >= answer["first_token_s"] > 0
    assert data["answers"][0]["provenance"]["prompt_sha256"] == PROMPT.sha256
    assert data["answers"][1]["provenance"]["strength"] == 50
    unknown = fail("chat", "Well?", "--arm", "run-9")
    assert "Available: unprompted, prompted, run-1" in unknown["message"]

    succeed("jobs", "stop", told["job"]["id"])
    wait_until(lambda: jobs_of(trained, home) == [("serve", "stopped")])
    assert not file.exists()
    for path in trained.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes(), path


def test_chat_starts_the_server_and_leaves_it_running(trained: Path, home: Home) -> None:
    asked = call("chat", "Is it open?", "--max-answer-tokens", "5", "--json")
    assert asked.status == 0, asked
    assert [answer["arm"] for answer in asked.data["answers"]] == ["prompted", "run-1"]
    assert "The server keeps running as job 1. Stop it: distill-tui jobs stop 1" in asked.err
    assert jobs_of(trained, home) == [("serve", "running")]
    again: Call = succeed("chat", "Is it open?", "--arm", "run-1", "--max-answer-tokens", "5")
    assert "The server keeps running" not in again.err
    talk_line_by_line(home)
    assert jobs_of(trained, home) == [("serve", "running")]


def talk_line_by_line(home: Home) -> None:
    """Two questions typed on a terminal; the second is read with the first. Then Ctrl-C."""
    program = Path(sys.executable).with_name("distill-tui")
    words = ["chat", "--arm", "run-1", "--arm", "unprompted", "--max-answer-tokens", "6", "--home", str(home.root)]
    line = pexpect.spawn(str(program), words, encoding="utf-8", codec_errors="replace", timeout=120)
    counts = []
    for question in ("Hello?", "And again?"):
        line.expect("> ")
        line.sendline(question)
        for arm in ("run-1", "unprompted"):
            line.expect(f"── {arm}")
            line.expect(r"(\d+) \+ \d+ tokens")
            counts.append(int(line.match[1]))
    assert counts[2] > counts[0]
    assert counts[3] > counts[1]
    line.expect("> ")
    wait_until(lambda: psutil.Process(line.pid).status() == psutil.STATUS_SLEEPING)  # it reads
    line.sendintr()
    line.expect("Interrupted")
    line.expect(pexpect.EOF)
    line.close()
    assert line.exitstatus == 130


def test_following_ends_with_the_server(trained: Path, home: Home) -> None:
    ended = succeed("serve", "--idle-minutes", "0.05")
    assert "Models: unprompted, prompted, run-1, run-1+prompt" in ended.out
    assert "There were no requests for 0.05 minutes." in ended.err
    assert jobs_of(trained, home) == [("serve", "done")]


def test_a_server_that_is_asked_to_stop_has_ended_well(trained: Path, home: Home) -> None:
    program = str(Path(sys.executable).with_name("distill-tui"))
    with subprocess.Popen([program, "serve", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as serving:
        assert serving.stdout is not None
        told = json.loads(serving.stdout.readline())
        succeed("jobs", "stop", told["job"]["id"])
        assert serving.stdout.read() == b"", "one object, and nothing after it"
        assert serving.wait(60) == 0
    assert jobs_of(trained, home) == [("serve", "stopped")]


def test_a_server_that_cannot_start_says_why(trained: Path, home: Home) -> None:
    with Project.open(trained, home) as project:
        base = Path(project.settings.read().student_base)
    weights = base / "model.safetensors"
    hidden = weights.rename(base / "hidden")
    try:
        error = fail("serve", "--detach", status=1)
    finally:
        hidden.rename(weights)
    assert "safetensors" in error["message"]


def test_words_that_are_wrong_start_nothing(trained: Path, home: Home) -> None:
    assert "no such run" in fail("serve", "--run", "9")["title"]
    assert "No question" in fail("chat")["title"]
    assert "no arm «best»" in fail("chat", "Hello?", "--arm", "best")["title"]
    assert "not an endpoint" in fail("chat", "Hello?", "--arm", "teacher")["title"]
    fail("serve", "--port", "70000")
    fail("serve", "--idle-minutes", "0")
    assert jobs_of(trained, home) == []

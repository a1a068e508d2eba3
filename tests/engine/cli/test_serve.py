"""`serve` and `chat` with real processes: a server job, queries from another process, and how it ends."""

import json
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pexpect
import psutil
import pytest

from engine.errors import JobError
from engine.folders import remember
from engine.jobs import control
from engine.jobs.devices import Holder, Ticket
from engine.jobs.liveness import is_alive
from engine.paths import Home
from engine.project import Project
from engine.records.job import Job
from tests.engine.cli.calling import PROGRAM, call, fail, get, succeed
from tests.engine.jobs.support import wait_until
from tests.trained import PROMPT, make_tiny_adapter, make_trained_project


@pytest.fixture
def trained(home: Home, tiny_base: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of a project with a trained run; a server still running at the end is stopped."""
    adapter = make_tiny_adapter(tiny_base, tmp_path / "adapter")
    with make_trained_project(home, tiny_base, adapter) as project:
        remember(project.folder, home)
        yield project.folder
        for job in project.jobs.live():
            with suppress(JobError):  # it has ended in the meantime
                control.stop(project, job, force=True, grace_s=10)

            def has_ended(job: Job = job) -> bool:
                return not is_alive(job)

            wait_until(has_ended)


def jobs_of(folder: Path, home: Home) -> list[tuple[str, str]]:
    with Project.open(folder, home) as project:
        return [(job.kind, job.state) for job in project.jobs.all()]


def test_server_can_be_started_queried_and_stopped(trained: Path, home: Home) -> None:
    server = get("serve", "--detach", "--run", "1")
    assert server["models"] == ["unprompted", "prompted", "run-1", "run-1+prompt"]
    assert server["job"]["kind"] == "serve"
    assert server["job"]["state"] == "running"
    assert server["base_url"] in server["job"]["note"]
    file = Path(server["token_file"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = json.loads(file.read_text())["token"]

    second = fail("serve", "--detach", status=1)
    assert "already being served" in second["title"]

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
    assert fail("chat", "Well?", "--arm", "run-9")["title"] == "There is no run 9."

    succeed("jobs", "stop", server["job"]["id"])
    wait_until(lambda: jobs_of(trained, home) == [("serve", "stopped")])
    assert not file.exists()
    for path in trained.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes(), path


def test_chat_starts_the_server_and_leaves_it_running(trained: Path, home: Home) -> None:
    first = call("chat", "Is it open?", "--max-answer-tokens", "5", "--json")
    assert first.status == 0, first
    assert [answer["arm"] for answer in first.data["answers"]] == ["prompted", "run-1"]
    assert "The server keeps running as job 1. Stop it: distill-tui jobs stop 1" in first.err
    assert jobs_of(trained, home) == [("serve", "running")]
    second = succeed("chat", "Is it open?", "--arm", "run-1", "--max-answer-tokens", "5")
    assert "The server keeps running" not in second.err
    chat_on_a_terminal(home)
    assert jobs_of(trained, home) == [("serve", "running")]


def chat_on_a_terminal(home: Home) -> None:
    """Type two questions, the second answered with the first in context; then press Ctrl-C."""
    args = ["chat", "--arm", "run-1", "--arm", "unprompted", "--max-answer-tokens", "6", "--home", str(home.root)]
    terminal = pexpect.spawn(PROGRAM, args, encoding="utf-8", codec_errors="replace", timeout=120)
    counts = []
    for question in ("Hello?", "And again?"):
        terminal.expect("> ")
        terminal.sendline(question)
        for arm in ("run-1", "unprompted"):
            terminal.expect(f"── {arm}")
            terminal.expect(r"(\d+) \+ \d+ tokens")
            counts.append(int(terminal.match[1]))
    assert counts[2] > counts[0]
    assert counts[3] > counts[1]
    terminal.expect("> ")
    wait_until(lambda: psutil.Process(terminal.pid).status() == psutil.STATUS_SLEEPING)  # it waits for input
    terminal.sendintr()
    terminal.expect("Interrupted")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_chat_stops_the_server_that_it_still_waits_for(trained: Path, home: Home, sent: signal.Signals) -> None:
    ticket = Ticket.draw(home.state, "cpu", Holder(9, "train", "other"))
    with subprocess.Popen([PROGRAM, "chat", "Is it open?"], stderr=subprocess.PIPE, text=True) as chat:
        assert chat.stderr is not None
        while "holds cpu" not in chat.stderr.readline():
            pass
        chat.send_signal(sent)
        said = chat.stderr.read()
    assert "Job 1 (serve) will stop: it was started for this chat." in said
    assert chat.returncode == {signal.SIGINT: 130}.get(sent, 128 + sent)
    wait_until(lambda: jobs_of(trained, home) == [("serve", "stopped")])
    ticket.give_back()


def test_serve_without_detach_ends_with_the_idle_server(trained: Path, home: Home) -> None:
    ended = succeed("serve", "--idle-minutes", "0.05")
    assert "Models: unprompted, prompted, run-1, run-1+prompt" in ended.out
    assert "There were no requests for 0.05 minutes." in ended.err
    assert jobs_of(trained, home) == [("serve", "done")]


def test_stopped_server_exits_with_success(trained: Path, home: Home) -> None:
    with subprocess.Popen([PROGRAM, "serve", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as serving:
        assert serving.stdout is not None
        server = json.loads(serving.stdout.readline())
        succeed("jobs", "stop", server["job"]["id"])
        assert serving.stdout.read() == b"", "exactly one object is printed"
        assert serving.wait(60) == 0
    assert jobs_of(trained, home) == [("serve", "stopped")]


def test_server_that_cannot_start_says_why(trained: Path, home: Home) -> None:
    with Project.open(trained, home) as project:
        base = Path(project.settings.read().student_base)
    weights = base / "model.safetensors"
    hidden = weights.rename(base / "hidden")
    try:
        error = fail("serve", "--detach", status=1)
    finally:
        hidden.rename(weights)
    assert "safetensors" in error["message"]


def test_invalid_arguments_start_no_job(trained: Path, home: Home) -> None:
    assert "There is no run 9" in fail("serve", "--run", "9")["title"]
    assert "No question" in fail("chat")["title"]
    assert "no arm “best”" in fail("chat", "Hello?", "--arm", "best")["title"]
    assert "not an endpoint" in fail("chat", "Hello?", "--arm", "teacher")["title"]
    fail("serve", "--port", "70000")
    fail("serve", "--idle-minutes", "0")
    assert jobs_of(trained, home) == []

"""A process is identified by its pid, start time and boot; a pid alone proves nothing."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from engine.jobs.heartbeat import HEARTBEAT_FILE, Heartbeat, heartbeat_age_s
from engine.jobs.identity import boot_id, is_running, own_identity
from engine.jobs.liveness import is_alive
from engine.records.job import Job


def test_own_process_is_running() -> None:
    own = own_identity()
    assert own.pid == os.getpid()
    assert is_running(own)
    assert own_identity() == own


def test_reused_pid_is_not_trusted() -> None:
    own = own_identity()
    assert not is_running(replace(own, started_at=own.started_at - 1))
    assert not is_running(replace(own, boot_id="another boot"))
    assert not is_running(replace(own, pid=0))
    job = Job(1, "train", "running", "{}", "jobs/1", "run", own.pid, own.started_at, own.boot_id)
    assert is_alive(job)
    assert not is_alive(replace(job, pid_started_at=own.started_at + 0.05))
    assert not is_alive(replace(job, pid=0, pid_started_at=0.0, boot_id=""))


def test_zombie_is_not_running() -> None:
    code = (
        "from engine.jobs.identity import own_identity as o; i = o(); print(i.pid, i.started_at, i.boot_id, flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        pid, started_at, boot = child.stdout.readline().split()
        identity = replace(own_identity(), pid=int(pid), started_at=float(started_at), boot_id=boot)
        assert is_running(identity)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_running(identity)
    assert not is_running(identity)


def test_heartbeat_is_renewed_until_it_stops_and_then_ages(tmp_path: Path) -> None:
    assert heartbeat_age_s(tmp_path) is None
    heartbeat = Heartbeat(tmp_path, every_s=0.05)
    deadline = time.monotonic() + 5
    first = (tmp_path / HEARTBEAT_FILE).read_text()
    while (tmp_path / HEARTBEAT_FILE).read_text() == first:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    heartbeat.stop()
    last = heartbeat_age_s(tmp_path)
    assert last is not None
    assert last < 5
    time.sleep(0.05)
    later = heartbeat_age_s(tmp_path)
    assert later is not None
    assert later >= last + 0.04


def test_heartbeat_of_an_earlier_boot_is_ignored(tmp_path: Path) -> None:
    beat = f"{time.monotonic():020.3f}"
    (tmp_path / HEARTBEAT_FILE).write_text(f"{beat} {boot_id()}\n")
    assert heartbeat_age_s(tmp_path) is not None
    (tmp_path / HEARTBEAT_FILE).write_text(f"{beat} another-boot\n")
    assert heartbeat_age_s(tmp_path) is None
    (tmp_path / HEARTBEAT_FILE).write_text("")
    assert heartbeat_age_s(tmp_path) is None

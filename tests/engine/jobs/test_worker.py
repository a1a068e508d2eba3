"""A job is a process of its own that says in the store, then in its log, how it stands."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import psutil
import pytest

from engine.errors import JobError
from engine.jobs import control, worker
from engine.jobs import launch as launching
from engine.jobs.follow import Follower, follow
from engine.jobs.heartbeat import heartbeat_age_s
from engine.jobs.liveness import is_alive
from engine.jobs.protocol import Event, Note, Progress, StateChanged
from engine.jobs.stages import STAGES
from engine.project import Project
from engine.records.job import Job
from engine.records.options import OPTIONS_OF_KIND, JobKind
from engine.redact import MASK
from tests.engine.jobs.support import options, wait_until


def _events(project: Project, job: Job) -> list[Event]:
    return [stamped.event for stamped in follow(project, job.id, poll_s=0.01)]


def test_a_job_runs_to_its_end_and_can_be_followed(project: Project) -> None:
    job = project.start_job(options("steps", 20))
    assert job.pid
    events = _events(project, job)
    states = [event.state for event in events if isinstance(event, StateChanged)]
    assert states == ["running", "done"]
    assert [event.done for event in events if isinstance(event, Progress)] == list(range(1, 21))
    job = project.jobs.get(job.id)
    assert (job.state, job.done, job.total, job.note) == ("done", 20, 20, "")
    assert job.started_at <= job.ended_at
    wait_until(lambda: not is_alive(job))
    folder = project.folder / job.folder
    assert {path.name for path in folder.iterdir()} == {"events.jsonl", "log.txt", "heartbeat", "lock", "facts"}
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir()) if path.name != "facts"} == {0}
    assert heartbeat_age_s(folder) is not None


def test_it_has_a_session_and_a_group_of_its_own_no_terminal_and_no_input(project: Project) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    job = project.start_job(options("tells"))
    _events(project, job)
    leads_session, leads_group, nice, terminal, rest = (project.folder / job.folder / "facts").read_text().split(" ", 4)
    assert (leads_session, leads_group, terminal) == ("False", "True", "False")
    assert int(nice) == min(19, before + 5)
    assert rest == f"'' {project.folder} 1 {project.home.root}"


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel weighs no sessions")
def test_its_session_gives_way_to_other_sessions(project: Project) -> None:
    job = project.start_job(options("steps", 100_000))
    group = Path(f"/proc/{project.jobs.get(job.id).pid}/autogroup")
    wait_until(lambda: group.read_text().endswith(f" nice {worker.NICENESS}\n"))
    control.stop(project, job)
    wait_until(lambda: not is_alive(project.jobs.get(job.id)))


def test_a_session_gives_way_though_others_do_in_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    class Busy:
        def write_text(self, text: str) -> None:
            heard.append(text)
            if len(heard) < 3:
                raise BlockingIOError

    monkeypatch.setattr(worker, "_SESSION_NICENESS", Busy())
    monkeypatch.setattr(worker, "_SESSION_EVERY_S", 0.0)
    worker._give_way_as_session()
    assert heard == [str(worker.NICENESS)] * 3


def test_a_refusal_is_a_failure_with_its_three_sentences(project: Project) -> None:
    job = project.start_job(options("refused"))
    words = f"The teacher refused. It said {MASK}. Ask another."
    assert _events(project, job)[-1] == StateChanged("failed", words)
    assert project.jobs.get(job.id).note == words
    log = (project.folder / job.folder / "log.txt").read_text()
    assert words in log
    assert "Traceback" not in log


def test_a_defect_leaves_its_trace_in_the_log_alone_and_no_secret_anywhere(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-0123456789")
    job = project.start_job(options("defect"))
    last = _events(project, job)[-1]
    assert isinstance(last, StateChanged)
    assert last.state == "failed"
    assert last.note.startswith(f"Internal error: ZeroDivisionError: with {MASK}.")
    log = (project.folder / job.folder / "log.txt").read_text()
    assert f"printed {MASK}" in log
    assert "from a library" in log
    assert 'ZeroDivisionError(f"with {os.environ' in log
    for path in project.folder.rglob("*"):
        assert not path.is_file() or b"canary-0123456789" not in path.read_bytes()


def test_no_child_and_no_zombie_is_left(project: Project) -> None:
    before = set(psutil.Process().children())
    job = project.start_job(options("steps", 1))
    assert set(psutil.Process().children()) <= before  # zombies are children too
    _events(project, job)


def test_the_same_job_is_not_carried_out_twice(project: Project) -> None:
    job = project.start_job(options("steps", 100_000))
    with pytest.raises(JobError, match="already running"):
        launching.launch(project.folder, job, project.home)
    assert is_alive(project.jobs.get(job.id))


def test_a_worker_that_cannot_begin_says_why(project: Project) -> None:
    job = project.jobs.add(options("steps"))
    with pytest.raises(JobError, match=r"could not be started.*No job has the number 99"):
        launching.launch(project.folder, replace(job, id=99), project.home)


def test_a_folder_full_of_modules_is_not_imported(project: Project) -> None:
    (project.folder / "argparse.py").write_text("raise SystemExit('taken over')")
    job = project.start_job(options("steps", 1))
    _events(project, job)
    assert project.jobs.get(job.id).state == "done"


def test_two_followers_see_the_same(project: Project) -> None:
    job = project.start_job(options("steps", 50))
    early = Follower(project.folder / job.folder)
    seen = []
    while project.jobs.get(job.id).state != "done":
        seen += early.read_new()
        time.sleep(0.01)
    late = list(follow(project, job.id))
    seen += early.read_new()
    assert seen == late
    assert len(late) == 52


def test_progress_is_in_the_row_while_it_runs(project: Project) -> None:
    job = project.start_job(options("steps", 100_000))
    wait_until(lambda: project.jobs.get(job.id).done > 0)
    assert project.jobs.get(job.id).total == 100_000


def test_the_logs_grow_and_are_never_begun_anew(project: Project) -> None:
    job = project.start_job(options("refused"))
    _events(project, job)
    files = [project.folder / job.folder / name for name in ("events.jsonl", "log.txt")]
    first = [file.read_bytes() for file in files]
    launching.launch(project.folder, job, project.home)
    _events(project, job)
    for file, before in zip(files, first, strict=True):
        assert file.read_bytes().startswith(before)
        assert len(file.read_bytes()) > len(before)


def test_a_scope_of_systemd_is_used_where_logind_kills(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = {
        "loginctl": 'case "$*" in *KillUserProcesses*) echo yes;; *) echo no;; esac',
        "systemd-run": 'echo "scope: $*" >&2\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"',
    }
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    job = project.start_job(options("steps", 1))
    first, *_, last = _events(project, job)
    assert isinstance(first, Note)
    assert "enable-linger" in first.text
    assert last == StateChanged("done")
    assert "scope: --user --scope --quiet --collect -- " in (project.folder / job.folder / "log.txt").read_text()


def test_every_kind_of_job_has_its_stage() -> None:
    assert STAGES.keys() == OPTIONS_OF_KIND.keys() == set(get_args(JobKind))

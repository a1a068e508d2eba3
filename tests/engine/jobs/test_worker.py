"""The worker: each job is a separate process that reports its state in the store and in its log."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import psutil
import pytest

from engine.errors import JobError, StoreError
from engine.jobs import control, worker
from engine.jobs import launch as launching
from engine.jobs.follow import Follower, follow
from engine.jobs.heartbeat import heartbeat_age_s
from engine.jobs.liveness import is_alive
from engine.jobs.log import EventLog
from engine.jobs.logind import Survival
from engine.jobs.protocol import Event, Note, Progress, StateChanged
from engine.jobs.stages import STAGES
from engine.project import Project
from engine.records.job import Job
from engine.records.options import OPTIONS_OF_KIND, JobKind
from engine.redact import MASK
from tests.engine.jobs.support import options, wait_until


def _events(project: Project, job: Job) -> list[Event]:
    return [stamped.event for stamped in follow(project, job.id, poll_s=0.01)]


def test_job_runs_to_its_end_and_can_be_followed(project: Project) -> None:
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


def test_worker_leads_a_process_group_without_terminal_or_input(project: Project) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    job = project.start_job(options("describe_process"))
    _events(project, job)
    leads_session, leads_group, nice, terminal, rest = (project.folder / job.folder / "facts").read_text().split(" ", 4)
    assert (leads_session, leads_group, terminal) == ("False", "True", "False")
    assert int(nice) == min(19, before + 5)
    assert rest == f"'' {project.folder} 1 {project.home.root}"


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel has no autogroups")
def test_session_of_the_worker_has_lower_priority(project: Project) -> None:
    job = project.start_job(options("steps", 100_000))
    group = Path(f"/proc/{project.jobs.get(job.id).pid}/autogroup")
    wait_until(lambda: group.read_text().endswith(f" nice {worker.NICENESS}\n"))
    control.stop(project, job)
    wait_until(lambda: not is_alive(project.jobs.get(job.id)))


def test_lowering_session_priority_is_retried_while_the_kernel_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    class BusyFile:
        def write_text(self, text: str) -> None:
            written.append(text)
            if len(written) < 3:
                raise BlockingIOError

    monkeypatch.setattr(worker, "_SESSION_NICENESS", BusyFile())
    monkeypatch.setattr(worker, "_SESSION_EVERY_S", 0.0)
    worker._give_way_as_session()
    assert written == [str(worker.NICENESS)] * 3


def test_refusal_fails_the_job_with_the_whole_message(project: Project) -> None:
    job = project.start_job(options("refused"))
    message = f"The teacher refused. It said {MASK}. Ask another."
    assert _events(project, job)[-1] == StateChanged("failed", message)
    assert project.jobs.get(job.id).note == message
    log = (project.folder / job.folder / "log.txt").read_text()
    assert message in log
    assert "Traceback" not in log


def test_defect_is_logged_with_its_traceback_and_without_secrets(
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


def test_launch_leaves_no_child_and_no_zombie(project: Project) -> None:
    before = set(psutil.Process().children())
    job = project.start_job(options("steps", 1))
    assert set(psutil.Process().children()) <= before  # zombies count as children
    _events(project, job)


def test_running_job_cannot_be_launched_again(project: Project) -> None:
    job = project.start_job(options("steps", 100_000))
    with pytest.raises(JobError, match="already running"):
        launching.launch(project.folder, job, project.home)
    assert is_alive(project.jobs.get(job.id))


def test_failed_launch_says_why(project: Project) -> None:
    job = project.jobs.add(options("steps"))
    with pytest.raises(JobError, match=r"could not be started.*There is no job 99"):
        launching.launch(project.folder, replace(job, id=99), project.home)


def test_job_that_cannot_be_launched_is_marked_failed(project: Project) -> None:
    (project.folder / "jobs" / "1" / "log.txt").mkdir(parents=True)
    (project.folder / "jobs" / "2").write_text("")
    for error, title in ((JobError, "could not be started"), (StoreError, "Cannot create a folder")):
        with pytest.raises(error, match=title) as caught:
            project.start_job(options("steps"))
        job = project.jobs.all()[-1]
        assert (job.state, job.note) == ("failed", str(caught.value))
        assert "Check the permissions" in job.note
    assert project.jobs.live() == ()


def test_job_without_room_for_its_first_event_cannot_be_started(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(launching, "plan_survival", lambda: Survival(advice="Stay logged in."))
    monkeypatch.setattr(EventLog, "append", full)
    with pytest.raises(JobError, match=r"jobs/1: No space left on device\. Check"):
        project.start_job(options("steps"))
    assert project.jobs.get(1).state == "failed"


def test_modules_in_the_project_folder_are_not_imported(project: Project) -> None:
    (project.folder / "argparse.py").write_text("raise SystemExit('taken over')")
    job = project.start_job(options("steps", 1))
    _events(project, job)
    assert project.jobs.get(job.id).state == "done"


def test_early_and_late_followers_read_the_same_events(project: Project) -> None:
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


def test_progress_is_stored_while_the_job_runs(project: Project) -> None:
    job = project.start_job(options("steps", 100_000))
    wait_until(lambda: project.jobs.get(job.id).done > 0)
    assert project.jobs.get(job.id).total == 100_000


def test_second_launch_appends_to_the_logs(project: Project) -> None:
    job = project.start_job(options("refused"))
    _events(project, job)
    files = [project.folder / job.folder / name for name in ("events.jsonl", "log.txt")]
    contents = [file.read_bytes() for file in files]
    launching.launch(project.folder, job, project.home)
    _events(project, job)
    for file, before in zip(files, contents, strict=True):
        assert file.read_bytes().startswith(before)
        assert len(file.read_bytes()) > len(before)


def test_systemd_scope_is_used_if_logind_kills_processes(
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


def test_every_kind_of_job_has_a_stage() -> None:
    assert STAGES.keys() == OPTIONS_OF_KIND.keys() == set(get_args(JobKind))

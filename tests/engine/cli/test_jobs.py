"""`jobs` on real processes that run small test stages."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest

from engine.errors import UsageError
from engine.folders import DATABASE
from engine.jobs import control, launch
from engine.jobs.follow import read_all
from engine.jobs.liveness import is_alive
from engine.jobs.log import EventLog
from engine.jobs.protocol import Event, Progress, StateChanged
from engine.paths import Home, make_private_folder
from engine.project import Project
from engine.records.job import JobState
from engine.records.options import GenerateOptions, ServeOptions, SynthesizeOptions, TeacherSpec, UpdateOptions
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.store.jobs import options_of_job
from engine.wording import duration
from tests.engine.cli.calling import call, fail, get, one_object, succeed
from tests.engine.cli.shapes import JOB, assert_shape
from tests.engine.jobs.support import STAGES_FOLDER, wait_until
from tests.tui.seeds import add_job

ENDPOINT = ("--base-url", "http://127.0.0.1:9/v1")  # its model is the name of a stage


@pytest.fixture
def desk(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project whose jobs run the stages of `steps_worker`; jobs still running at the end are killed."""
    monkeypatch.setattr(launch, "WORKER_MODULE", "steps_worker")
    monkeypatch.setenv("PYTHONPATH", STAGES_FOLDER)
    with Project.create(home.projects / "desk", home=home) as project:
        project.prompts.set(Prompt((Message("system", "Be brief."),)))
        project.questions.add([Question((Message("user", "Is it open?"),), split="train")])
        yield project
        for job in project.jobs.all():
            if is_alive(job):
                with suppress(ProcessLookupError):
                    os.killpg(job.pid, signal.SIGKILL)


def start(stage: str, steps: int = 20) -> dict[str, Any]:
    """Start a job that runs the stage, and return without waiting."""
    job: dict[str, Any] = get("generate", "--model", stage, *ENDPOINT, "--limit", steps, "--detach")["job"]
    return job


def steps_done(project: Project, job_id: int = 1) -> int:
    path = project.folder / project.jobs.get(job_id).folder / "facts"
    return len(path.read_text().splitlines()) if path.exists() else 0


def start_gated(project: Project) -> None:
    """Start a job of 20 steps that waits after 10 for `open_gate`, and wait until it does."""
    start("gated")
    wait_until(lambda: steps_done(project) == 10)


def open_gate(project: Project) -> None:
    (project.folder / project.jobs.get(1).folder / "gate").touch()


def wait_for(project: Project, state: str) -> None:
    wait_until(lambda: project.jobs.get(1).state == state)


@pytest.mark.parametrize("note", ["The server failed.", "Begin a new one: `distill-tui update`."])
def test_failed_job_suggests_resuming_unless_its_note_names_a_command(desk: Project, note: str) -> None:
    desk.jobs.add(UpdateOptions())
    desk.jobs.update(1, state="failed", note=note, ended_at="2026-01-01T00:00:00.000+00:00")
    failed = call("jobs", "follow", "1", "--json").data
    assert (failed["job"]["id"], failed["job"]["state"], failed["error"]["code"]) == (1, "failed", "job")
    error = fail("jobs", "follow", "1", status=1)
    assert error["message"] == note
    assert error["next"] == ("" if "distill-tui" in note else "Resume it: distill-tui jobs resume 1")


def test_job_can_be_paused_resumed_and_followed_to_the_end(desk: Project) -> None:
    start_gated(desk)
    paused = get("jobs", "pause", "1")["job"]
    assert_shape(paused, JOB)
    wait_for(desk, "paused")
    (row,) = get("jobs", "list")["jobs"]
    assert (row["state"], row["progress"]) == ("paused", {"done": 10, "total": 10})
    assert row["heartbeat_age_s"] is None or row["heartbeat_age_s"] < 60
    assert "paused" in succeed("jobs", "list").out
    assert "next safe point" in succeed("jobs", "pause", "1").out
    resumed = get("jobs", "resume", "1")["job"]
    assert (resumed["id"], resumed["state"]) == (1, "running")
    open_gate(desk)
    done = succeed("jobs", "follow", "1", "--json")
    assert_shape(done.data["job"], JOB)
    assert (done.data["job"]["state"], done.data["job"]["heartbeat_age_s"]) == ("done", None)
    assert "Paused." not in done.err, "it is no longer"
    assert "20 of 20" in done.err
    assert steps_done(desk) == 20


def test_stopped_job_fails_its_follower_and_resumes_where_it_stopped(desk: Project) -> None:
    start_gated(desk)
    assert get("jobs", "stop", "1", "--wait")["job"]["state"] == "stopped"
    error = fail("jobs", "follow", "1", status=1)
    assert (error["title"], error["message"]) == ("Job 1 (generate) is stopped.", "")
    assert error["next"] == "Resume it: distill-tui jobs resume 1"
    assert get("jobs", "list") == {"jobs": []}, "stopped jobs are listed only with --all"
    (row,) = get("jobs", "list", "--all")["jobs"]
    assert (row["state"], row["worked_s"] > 0) == ("stopped", True)
    assert re.search(rf" {duration(row['worked_s'])} +Resume it", succeed("jobs", "list", "--all").out)
    open_gate(desk)
    assert "distill-tui jobs follow 1" in succeed("jobs", "resume", "1").out
    succeed("jobs", "follow", "1")
    assert steps_done(desk) == 20


def test_stopping_job_can_neither_be_paused_nor_started_a_second_time(desk: Project) -> None:
    start("stubborn")
    wait_until(lambda: steps_done(desk) == 1)
    options = options_of_job(desk.jobs.get(1))
    with pytest.raises(UsageError, match="is running"):
        control.check_new(desk, options)
    succeed("jobs", "stop", "1")
    error = fail("jobs", "pause", "1", status=1)
    assert error["title"] == "Job 1 is already stopping."
    assert "distill-tui jobs resume 1" in error["next"]
    with pytest.raises(UsageError, match="is already stopping"):
        control.check_new(desk, options)


def test_terminated_follower_says_how_to_follow_again(desk: Project) -> None:
    start_gated(desk)
    program = "import sys; from engine.cli.main import run; sys.exit(run(sys.argv[1:]))"
    args = [sys.executable, "-c", program, "jobs", "follow", "1", "--project", str(desk.folder), "--json"]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follower:
        assert follower.stderr is not None
        assert follower.stderr.readline()
        follower.send_signal(signal.SIGTERM)
        out, err = follower.communicate(timeout=60)
    assert follower.returncode == 143
    assert one_object(out)["job"]["state"] == "running", "one object, whatever ends the command"
    assert "Stopped following. Job 1 (generate) keeps running. Follow it: distill-tui jobs follow 1" in err
    assert is_alive(desk.jobs.get(1))
    open_gate(desk)
    succeed("jobs", "follow", "1")


def test_waiting_job_is_not_said_to_run(desk: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    start_gated(desk)
    assert "Job 2 (generate) was started." in succeed("generate", "--model", "gated", *ENDPOINT, "--detach").out
    desk.jobs.update(1, state="waiting", note="job 9 (train) of desk holds cpu")
    monkeypatch.setattr("engine.jobs.follow.follow", interrupted)
    assert "Job 1 (generate) keeps waiting." in call("jobs", "follow", "1").err
    ended = call("jobs", "follow", "1", "--json")
    assert (ended.status, ended.data["job"]["state"]) == (130, "waiting")
    desk.jobs.update(1, state="paused")
    paused = call("jobs", "follow", "1").err
    assert "Job 1 (generate) stays paused. Resume it: distill-tui jobs resume 1." in paused


def test_only_the_state_that_holds_is_told(desk: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = desk.jobs.add(GenerateOptions())
    desk.jobs.update(job.id, state="paused")
    with EventLog(make_private_folder(desk.folder / job.folder)) as log:
        events: tuple[Event, ...] = (
            StateChanged("waiting", "job 9 holds cpu"), StateChanged("paused", "Paused. Resume it soon."),
            StateChanged("running"), Progress(0, 0, "loading starter"), StateChanged("paused", "Paused. Resume it."),
        )  # fmt: skip
        for at, event in enumerate(events):
            log.append(event, at=at)
    monkeypatch.setattr("engine.jobs.follow.follow", lambda project, _: read_all(project.folder / job.folder))
    told = call("jobs", "follow", job.id).err.splitlines()
    assert told[:2] == ["loading starter", "Paused. Resume it."]


def test_time_of_a_job_that_has_just_begun_is_known(desk: Project) -> None:
    job = add_job(desk, GenerateOptions(), "running")
    with EventLog(desk.folder / job.folder) as log:
        log.append(StateChanged("waiting"), at=time.time() - 900)
        log.append(StateChanged("running"), at=time.time() - 500)
    (row,) = get("jobs", "list")["jobs"]
    assert 500 <= row["worked_s"] < 900, "waiting does not count"
    desk.jobs.update(job.id, state="paused")
    assert get("jobs", "list")["jobs"][0]["worked_s"] == 0


def test_keep_is_accepted_only_during_training(desk: Project) -> None:
    start_gated(desk)
    error = fail("jobs", "keep", "1", status=1)
    assert error["title"] == "Job 1 is not training now."
    assert error["next"] == "Stop it with `distill-tui jobs stop 1`."
    desk.jobs.update(1, stage="run")
    assert_shape(get("jobs", "keep", "1")["job"], JOB)
    assert "keep the best checkpoint" in succeed("jobs", "keep", "1").out
    open_gate(desk)
    wait_for(desk, "done")


def test_stop_with_kill_ends_an_unresponsive_job(desk: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_DIES_WITHIN_S", 0.2)
    # The default grace period of half a minute is too long for a test.
    monkeypatch.setattr(control.stop, "__kwdefaults__", {"force": False, "grace_s": 0.1})
    start("stubborn")
    wait_until(lambda: steps_done(desk) == 1)
    output = succeed("jobs", "stop", "1", "--kill").out
    assert "Job 1 is stopped. Stopped by force." in output
    assert "jobs resume 1" in output
    wait_until(lambda: not is_alive(desk.jobs.get(1)))
    assert "jobs resume" in fail("jobs", "stop", "1", status=1)["next"]


@pytest.mark.parametrize("state", ["failed", "lost"])
def test_job_that_failed_or_was_killed_can_be_put_aside(desk: Project, state: JobState) -> None:
    start_gated(desk)
    succeed("jobs", "stop", "1", "--wait")
    desk.jobs.update(1, state=state, note="The endpoint refused the key.")
    assert [row["state"] for row in get("jobs", "list")["jobs"]] == [state]
    stopped = succeed("jobs", "stop", "1").out
    assert "Job 1 is stopped. The endpoint refused the key." in stopped
    assert get("jobs", "list") == {"jobs": []}
    assert {station["name"]: station["state"] for station in get("status")["stations"]}["examples"] != "failed"
    open_gate(desk)
    succeed("jobs", "resume", "1")
    succeed("jobs", "follow", "1")


def test_too_large_job_number_is_refused(desk: Project) -> None:
    error = fail("jobs", "stop", "9" * 20)
    assert (error["title"], error["next"]) == ("A number is too large.", "Use a smaller one.")


def test_killed_job_is_listed_as_killed_and_can_be_resumed(desk: Project) -> None:
    start_gated(desk)
    os.killpg(desk.jobs.get(1).pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(desk.jobs.get(1)))
    wait_until(lambda: get("jobs", "list")["jobs"][0]["state"] == "lost")
    assert " killed " in (listed := succeed("jobs", "list").out)
    assert "jobs resume 1" in listed
    followed = call("jobs", "follow", "1").err
    assert followed.count("Its process was killed") == followed.count("jobs resume 1") == 1
    assert fail("jobs", "pause", "1", status=1)["message"] == "It was killed."
    open_gate(desk)
    assert get("jobs", "resume", "1")["job"]["state"] in ("waiting", "running", "done")
    succeed("jobs", "follow", "1")
    assert steps_done(desk) == 20


def test_error_of_a_failed_job_contains_no_secret(desk: Project) -> None:
    error = fail("generate", "--model", "refused", *ENDPOINT, status=1)
    assert error["title"] == "Job 2 (generate) failed."
    assert "The teacher refused." in error["message"]
    assert "sk-abcdef" not in str(error)
    assert [row["state"] for row in get("jobs", "list")["jobs"]] == ["failed", "failed"]


def test_log_shows_the_last_lines_without_secrets_or_control_codes(
    desk: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnop")
    fail("generate", "--model", "defect", *ENDPOINT, status=1)
    data = get("jobs", "log", "1")
    assert_shape(data, {"job": JOB, "log": str})
    assert "Traceback" in data["log"]
    assert "sk-abc" not in data["log"]
    assert succeed("jobs", "log", "1", "--lines", "1").out.strip() == data["log"].splitlines()[-1]
    (desk.folder / "jobs/1/log.txt").write_text("\x1b[31mred\n")
    assert succeed("jobs", "log", "1").out == "␛[31mred\n"
    (desk.folder / "jobs/1/log.txt").unlink()
    assert "empty" in succeed("jobs", "log", "1").out


def test_done_job_cannot_be_controlled(desk: Project) -> None:
    succeed("generate", "--model", "steps", *ENDPOINT, "--limit", "2")
    for verb in ("pause", "stop", "resume"):
        assert "done" in str(fail("jobs", verb, "1", status=1))
    assert get("jobs", "list") == {"jobs": []}
    assert succeed("jobs", "list").out == "No jobs to list. --all also lists those that are done or were stopped.\n"
    assert "done" in succeed("jobs", "list", "--all").out


@pytest.mark.parametrize("verb", ["follow", "pause", "resume", "stop"])
@pytest.mark.parametrize("number", ["1", "0", "first"])
def test_missing_job_is_refused(verb: str, number: str, new_project: Path) -> None:
    refused = fail("jobs", verb, number)
    assert number in f"{refused['title']} {refused['message']}"


def test_project_with_a_running_job_is_listed_with_it_and_not_deleted(desk: Project) -> None:
    start_gated(desk)
    assert "jobs stop 1" in fail("projects", "delete", "desk", "--yes", status=1)["next"]
    assert (desk.folder / DATABASE).is_file()
    (row,) = get("projects", "list")["projects"]
    assert (row["name"], row["live_jobs"]) == ("desk", 1)
    assert re.search(r"● generate \d+\u00a0%", succeed("projects", "list").out)


def test_list_is_aligned_and_shows_progress_only_of_jobs_that_count(desk: Project) -> None:
    teacher = TeacherSpec("endpoint", "large", "http://127.0.0.1:9/v1")
    for options in (SynthesizeOptions(teacher), GenerateOptions(teacher), ServeOptions()):
        desk.jobs.update(desk.jobs.add(options).id, state="failed", note="why")
    desk.jobs.update(2, done=3, total=9)
    header, *lines = succeed("jobs", "list").out.splitlines()
    assert header.split() == ["job", "kind", "state", "progress", "worked", "note"]
    assert len({line.index("failed") for line in lines}) == len({line.index("why") for line in lines}) == 1
    assert ["of" in line for line in lines] == [False, True, False]
    assert "3 of 9" in lines[1]

"""The jobs command on real processes that carry out small stages of the tests' own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine.folders import DATABASE
from engine.jobs import control, launch
from engine.jobs.liveness import is_alive
from engine.paths import Home
from engine.project import Project
from engine.records.options import GenerateOptions, ServeOptions, SynthesizeOptions, TeacherSpec, UpdateOptions
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.wording import duration
from tests.engine.cli.calling import fail, get, succeed
from tests.engine.cli.shapes import JOB, assert_shape
from tests.engine.jobs.support import STAGES_FOLDER, wait_until

ENDPOINT = ("--base-url", "http://127.0.0.1:9/v1")  # the model there is the name of a stage


@pytest.fixture
def desk(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project whose jobs have the stages of `steps_worker`; whatever of them still runs at the end is killed."""
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
    """Start a job of the stage and return at once."""
    job: dict[str, Any] = get("generate", "--model", stage, *ENDPOINT, "--limit", steps, "--detach")["job"]
    return job


def facts(project: Project, job_id: int = 1) -> int:
    path = project.folder / project.jobs.get(job_id).folder / "facts"
    return len(path.read_text().splitlines()) if path.exists() else 0


def half_way(project: Project) -> None:
    """Start a job that waits in its middle, and wait until it is there."""
    start("gated")
    wait_until(lambda: facts(project) == 10)


def open_gate(project: Project) -> None:
    (project.folder / project.jobs.get(1).folder / "gate").touch()


def wait_for(project: Project, state: str) -> None:
    wait_until(lambda: project.jobs.get(1).state == state)


@pytest.mark.parametrize("note", ["The server failed.", "Begin a new one: `distill-tui update`."])
def test_a_failed_job_that_says_what_to_do_is_not_to_be_resumed(desk: Project, note: str) -> None:
    desk.jobs.add(UpdateOptions())
    desk.jobs.update(1, state="failed", note=note, ended_at="2026-01-01T00:00:00.000+00:00")
    error = fail("jobs", "follow", "1", status=1)
    assert error["message"] == note
    assert error["next"] == ("" if "distill-tui" in note else "Resume it: distill-tui jobs resume 1")


def test_a_job_is_paused_resumed_and_followed_to_its_end(desk: Project) -> None:
    half_way(desk)
    paused = get("jobs", "pause", "1")["job"]
    assert_shape(paused, JOB)
    wait_for(desk, "paused")
    (row,) = get("jobs", "list")["jobs"]
    assert (row["state"], row["progress"]) == ("paused", {"done": 10, "total": 10})
    assert row["heartbeat_age_s"] is None or row["heartbeat_age_s"] < 60
    assert "paused" in succeed("jobs", "list").out
    assert "next safe point" in succeed("jobs", "pause", "1").out
    assert get("jobs", "resume", "1")["job"]["id"] == 1
    open_gate(desk)
    done = succeed("jobs", "follow", "1", "--json")
    assert_shape(done.data["job"], JOB)
    assert (done.data["job"]["state"], done.data["job"]["heartbeat_age_s"]) == ("done", None)
    assert "\nPaused. Resume it with " in done.err
    assert "20 of 20" in done.err
    assert facts(desk) == 20


def test_a_stopped_job_fails_its_follower_and_goes_on_where_it_was(desk: Project) -> None:
    half_way(desk)
    assert "next safe point" in succeed("jobs", "stop", "1").out
    wait_for(desk, "stopped")
    error = fail("jobs", "follow", "1", status=1)
    assert error["title"] == "Job 1 (generate) is stopped."
    assert error["next"] == "Resume it: distill-tui jobs resume 1"
    assert get("jobs", "list") == {"jobs": []}, "only what lives, or was killed"
    (row,) = get("jobs", "list", "--all")["jobs"]
    assert (row["state"], row["worked_s"] > 0) == ("stopped", True)
    assert f" {duration(row['worked_s'])}  Resume it" in succeed("jobs", "list", "--all").out
    open_gate(desk)
    assert "distill-tui jobs follow 1" in succeed("jobs", "resume", "1").out
    succeed("jobs", "follow", "1")
    assert facts(desk) == 20


def test_a_job_that_was_asked_to_stop_is_not_paused(desk: Project) -> None:
    start("stubborn")
    wait_until(lambda: facts(desk) == 1)
    succeed("jobs", "stop", "1")
    error = fail("jobs", "pause", "1", status=1)
    assert error["title"] == "Job 1 is already stopping."
    assert "distill-tui jobs resume 1" in error["next"]


def test_a_follower_that_is_terminated_says_how_to_follow_again(desk: Project) -> None:
    half_way(desk)
    program = "import sys; from engine.cli.main import run; sys.exit(run(sys.argv[1:]))"
    words = [sys.executable, "-c", program, "jobs", "follow", "1", "--project", str(desk.folder), "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follower:
        assert follower.stderr is not None
        assert follower.stderr.readline()
        follower.send_signal(signal.SIGTERM)
        out, told = follower.communicate(timeout=60)
    assert (follower.returncode, out) == (143, "")
    assert "Stopped following. Job 1 (generate) keeps running. Follow it: distill-tui jobs follow 1" in told
    assert is_alive(desk.jobs.get(1))
    open_gate(desk)
    succeed("jobs", "follow", "1")


def test_only_a_training_can_be_asked_to_keep_what_it_has(desk: Project) -> None:
    half_way(desk)
    error = fail("jobs", "keep", "1", status=1)
    assert error["title"] == "Job 1 is not training now."
    assert error["next"] == "Stop it with `distill-tui jobs stop 1`."
    desk.jobs.update(1, stage="run")
    assert_shape(get("jobs", "keep", "1")["job"], JOB)
    assert "keep the best checkpoint" in succeed("jobs", "keep", "1").out
    open_gate(desk)
    wait_for(desk, "done")


def test_a_job_that_listens_to_nothing_is_killed(desk: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_DIES_WITHIN_S", 0.2)
    # Half a minute of patience is right for people and too long for a test.
    monkeypatch.setattr(control.stop, "__kwdefaults__", {"force": False, "grace_s": 0.1})
    start("stubborn")
    wait_until(lambda: facts(desk) == 1)
    said = succeed("jobs", "stop", "1", "--kill").out
    assert "Job 1 is stopped. Stopped by force." in said
    assert "jobs resume 1" in said
    wait_until(lambda: not is_alive(desk.jobs.get(1)))
    assert "jobs resume" in fail("jobs", "stop", "1", status=1)["next"]


def test_a_number_that_no_project_can_hold_is_refused_in_words(desk: Project) -> None:
    error = fail("jobs", "stop", "9" * 20)
    assert (error["title"], error["next"]) == ("A number is too large.", "Use a smaller one.")


def test_a_killed_job_is_called_so_in_the_list_and_resumes(desk: Project) -> None:
    half_way(desk)
    os.killpg(desk.jobs.get(1).pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(desk.jobs.get(1)))
    wait_until(lambda: get("jobs", "list")["jobs"][0]["state"] == "lost")
    assert " killed " in (listed := succeed("jobs", "list").out)
    assert "jobs resume 1" in listed
    assert fail("jobs", "pause", "1", status=1)["message"] == "It was killed."
    open_gate(desk)
    assert get("jobs", "resume", "1")["job"]["state"] in ("waiting", "running", "done")
    succeed("jobs", "follow", "1")
    assert facts(desk) == 20


def test_a_job_that_fails_tells_its_three_sentences_without_a_secret(desk: Project) -> None:
    error = fail("generate", "--model", "refused", *ENDPOINT, status=1)
    assert error["title"] == "Job 2 (generate) failed."
    assert "The teacher refused." in error["message"]
    assert "sk-abcdef" not in str(error)
    assert [row["state"] for row in get("jobs", "list")["jobs"]] == ["failed", "failed"]


def test_what_a_job_printed_is_told_from_its_end(desk: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnop")
    fail("generate", "--model", "defect", *ENDPOINT, status=1)
    told = get("jobs", "log", "1")
    assert_shape(told, {"job": JOB, "log": str})
    assert "Traceback" in told["log"]
    assert "sk-abc" not in told["log"]
    assert succeed("jobs", "log", "1", "--lines", "1").out.strip() == told["log"].splitlines()[-1]
    (desk.folder / "jobs/1/log.txt").write_text("\x1b[31mred\n")
    assert succeed("jobs", "log", "1").out == "␛[31mred\n"
    (desk.folder / "jobs/1/log.txt").unlink()
    assert "empty" in succeed("jobs", "log", "1").out


def test_a_done_job_is_not_controlled_any_more(desk: Project) -> None:
    succeed("generate", "--model", "steps", *ENDPOINT, "--limit", "2")
    for verb in ("pause", "stop", "resume"):
        assert "done" in str(fail("jobs", verb, "1", status=1))
    assert get("jobs", "list") == {"jobs": []}
    assert succeed("jobs", "list").out == "No jobs to list. --all also lists those that are done or were stopped.\n"
    assert "done" in succeed("jobs", "list", "--all").out


@pytest.mark.parametrize("verb", ["follow", "pause", "resume", "stop"])
@pytest.mark.parametrize("number", ["1", "0", "first"])
def test_a_job_that_is_not_there_is_refused(verb: str, number: str, begun: Path) -> None:
    assert number in fail("jobs", verb, number)["message"]


def test_a_project_at_work_is_only_deleted_by_force(desk: Project) -> None:
    half_way(desk)
    assert "jobs stop 1" in fail("projects", "delete", "desk", "--yes", status=1)["next"]
    assert (desk.folder / DATABASE).is_file()
    (row,) = get("projects", "list")["projects"]
    assert (row["name"], row["live_jobs"]) == ("desk", 1)
    assert re.search(r"● generate \d+ %", succeed("projects", "list").out)


def test_the_list_stands_in_columns_and_counts_nothing_of_what_counts_nothing(desk: Project) -> None:
    teacher = TeacherSpec("endpoint", "large", "http://127.0.0.1:9/v1")
    for options in (SynthesizeOptions(teacher), GenerateOptions(teacher), ServeOptions()):
        desk.jobs.update(desk.jobs.add(options).id, state="failed", note="why")
    desk.jobs.update(2, done=3, total=9)
    lines = succeed("jobs", "list").out.splitlines()
    assert len({line.index("failed") for line in lines}) == len({line.index("why") for line in lines}) == 1
    assert ["of" in line for line in lines] == [False, True, False]
    assert "3 of 9" in lines[1]

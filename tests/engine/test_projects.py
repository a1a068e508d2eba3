"""The projects of a home: which one is meant, what the list tells, and what is done to a whole one."""

import contextlib
import dataclasses
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.benchmark.prompts import load_benchmark_prompt
from engine.errors import JobError, NotFoundError, SchemaError, StoreError, UsageError
from engine.folders import ARCHIVED, DATABASE, last_used, locate_project, remember
from engine.jobs.identity import own_identity
from engine.jobs.locks import FileLock
from engine.jobs.log import EventLog
from engine.jobs.protocol import AnswerDelta, Note, Progress
from engine.paths import Home, make_private_folder
from engine.project import Project
from engine.projects import Kept, LiveJob, archive, delete, duplicate, find_project, list_projects, look, restore
from engine.records.options import GenerateOptions, ProjectSettings, TrainOptions
from engine.records.run import TrainingConfig
from engine.records.selection import Selection
from engine.store import migrations
from tests.tui.seeds import add_dataset, add_evaluation, add_examples, add_run, make_project


@pytest.fixture
def home() -> Home:
    return Home.locate()


def _make(home: Home, name: str) -> Path:
    with Project.create(home.projects / name, home=home) as project:
        return project.folder


def _set_to_work(project: Project) -> int:
    """A job that this very process carries out."""
    job = project.jobs.add(TrainOptions(1))
    me = own_identity()
    project.jobs.update(job.id, state="running", pid=me.pid, pid_started_at=me.started_at, boot_id=me.boot_id,
                        done=41, total=100)  # fmt: skip
    return job.id


class TestWhichOneIsMeant:
    def test_by_name_by_path_and_by_habit(self, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(UsageError, match="no project yet"):
            find_project(None, home)
        inside, outside = _make(home, "inside"), _make(Home.locate(tmp_path / "elsewhere"), "outside")
        monkeypatch.chdir(outside.parent)
        found = []
        for words in ("inside", str(outside), None, "outside", "./outside", str(inside), None):
            with find_project(words, home) as project:
                found.append(project.name)
        assert found == ["inside", "outside", "outside", "outside", "outside", "inside", "inside"]

    def test_without_a_habit_only_an_only_one_is_meant(self, home: Home) -> None:
        _make(home, "one")
        assert last_used(home) is None
        with find_project(None, home) as project:
            assert project.name == "one"
        _make(home, "two")
        (home.state / "last_project").write_text("/gone\n")
        with pytest.raises(UsageError, match="one, two"):
            find_project(None, home)

    def test_an_archived_one_is_meant_only_by_its_name(self, home: Home) -> None:
        one, two = _make(home, "one"), _make(home, "two")
        remember(two, home)
        archive(two, home)
        assert last_used(home) is None
        with find_project(None, home) as project:
            assert project.folder == one
        archive(one, home)
        with pytest.raises(UsageError, match="All 2 are archived"):
            find_project(None, home)
        with find_project("two", home) as project:
            assert project.folder == two

    def test_an_unknown_name_brings_near_ones(self, home: Home) -> None:
        _make(home, "support-desk")
        with pytest.raises(NotFoundError) as caught:
            find_project("suport-desk", home)
        assert "support-desk" in caught.value.next
        for outside in ("../../etc", ".."):
            with pytest.raises(NotFoundError):
                locate_project(outside, home)


class TestTheList:
    def test_every_station_is_told_by_the_furthest(self, home: Home) -> None:
        empty = _make(home, "empty")
        assert (look(empty, home).station, look(empty, home).note) == (None, "")
        seen = []
        with make_project(home, "grows") as project:
            seen.append(look(project.folder, home))
            add_examples(project)
            seen.append(look(project.folder, home))
            sha256 = add_dataset(project)
            seen.append(look(project.folder, home))
            add_run(project, sha256, done=False)
            seen.append(look(project.folder, home))
            run_id = add_run(project, sha256, done=True)
            seen.append(look(project.folder, home))
            add_evaluation(project, run_id)
            seen.append(look(project.folder, home))
            project.releases.add("adapter", run_id, "releases/adapter-2", "ab" * 32)
            seen.append(look(project.folder, home))
        assert [(summary.station, summary.note) for summary in seen] == [
            ("questions", "48"),
            ("examples", "40, 32 accepted"),
            ("dataset", "32 frozen"),
            ("run", "1, step 88 of 216"),
            ("run", "2, done"),
            ("evaluation", "pass 1.03"),
            ("release", "adapter of run 2"),
        ]

    def test_running_ones_come_first_then_the_last_changed(self, home: Home) -> None:
        for age, name in enumerate(("newest", "new", "older", "oldest")):
            os.utime(_make(home, name) / "project.db", (2e9 - age * 60, 2e9 - age * 60))
        with Project.open(home.projects / "oldest", home) as project:
            _set_to_work(project)
        with Project.open(home.projects / "older", home) as project:
            _set_to_work(project)
        os.utime(home.projects / "oldest" / "project.db", (1e9, 1e9))
        assert [summary.name for summary in list_projects(home)] == ["older", "oldest", "newest", "new"]

    def test_a_job_is_told_with_its_progress_and_the_time_left(self, home: Home) -> None:
        with Project.create(home.projects / "busy", home=home) as project:
            number = _set_to_work(project)
            with EventLog(make_private_folder(project.folder / "jobs" / str(number))) as log:
                log.append(Progress(20, 100, seconds_left=400.0))
                log.append(Progress(41, 100, seconds_left=180.0))
                log.append(AnswerDelta("1/0", 'says {"type":"Progress"} itself'))
                log.append(Note("and goes on"))
        assert look(project.folder, home).jobs == (LiveJob(number, "train", "running", 41, 100, 180.0),)

    def test_a_job_that_was_killed_is_not_at_work_and_nothing_is_marked(self, home: Home) -> None:
        with Project.create(home.projects / "left", home=home) as project:
            project.jobs.update(_set_to_work(project), pid=2**22 + 1)
            assert look(project.folder, home).jobs == ()
            assert project.jobs.get(1).state == "running"

    def test_what_cannot_be_read_is_listed_with_its_trouble(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        (home.projects / "broken").mkdir(parents=True)
        (home.projects / "broken" / "project.db").write_text("nonsense " * 100)
        (home.projects / "not-one").mkdir()
        _make(home, "newer")
        monkeypatch.setattr("engine.store.migrations.STEPS", migrations.STEPS[:-1])
        troubles = {summary.name: summary.trouble for summary in list_projects(home)}
        assert set(troubles) == {"broken", "newer"}
        assert troubles["broken"].startswith("This is not a project")
        assert "newer distill-tui" in troubles["newer"]
        with pytest.raises(SchemaError):
            find_project("newer", home)

    def test_a_folder_that_nobody_may_look_into_hides_no_other(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = _make(home, "secret")
        _make(home, "open")
        stat = Path.stat

        def refused(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
            if secret in self.parents:
                raise PermissionError(13, "Permission denied", str(self))
            return stat(self, follow_symlinks=follow_symlinks)

        monkeypatch.setattr(Path, "stat", refused)
        listed = {summary.name: summary.trouble for summary in list_projects(home)}
        assert "Permission denied" in listed["secret"]
        assert listed["open"] == ""

    def test_one_that_was_never_filled_is_no_trouble(self, home: Home) -> None:
        """Its maker was killed before the schema; opening it makes it whole."""
        (home.projects / "begun").mkdir(parents=True)
        (home.projects / "begun" / "project.db").touch()
        assert (look(home.projects / "begun", home).trouble, look(home.projects / "begun", home).note) == ("", "")
        find_project("begun", home).close()


class TestTheArchive:
    def test_nothing_in_the_project_changes_and_it_comes_back(self, home: Home) -> None:
        folder = _make(home, "old")
        before, data = look(folder, home), (folder / "project.db").read_bytes()
        archive(folder, home)
        archive(folder, home)
        assert look(folder, home) == dataclasses.replace(before, archived=True)
        assert (folder / "project.db").read_bytes() == data
        restore(folder)
        restore(folder)
        assert look(folder, home) == before

    def test_a_broken_one_can_be_archived(self, home: Home) -> None:
        folder = home.projects / "broken"
        folder.mkdir(parents=True)
        (folder / "project.db").write_text("nonsense " * 100)
        archive(folder, home)
        assert look(folder, home).archived

    def test_a_running_one_stays_in_sight(self, home: Home) -> None:
        with Project.create(home.projects / "busy", home=home) as project:
            _set_to_work(project)
        with pytest.raises(JobError, match="jobs stop 1 --project busy"):
            archive(project.folder, home)
        assert not look(project.folder, home).archived

    def test_what_cannot_be_restored_says_so(self, home: Home) -> None:
        folder = _make(home, "old")
        (folder / ARCHIVED).mkdir()
        with pytest.raises(StoreError, match="could not be restored"):
            restore(folder)

    def test_an_archived_one_is_deleted_whole(self, home: Home) -> None:
        folder = _make(home, "old")
        archive(folder, home)
        Project.open(folder, home).delete()
        assert not folder.exists()


@pytest.mark.parametrize("offset", [0, 4096 * 2])
def test_one_whose_database_does_not_hold_together_is_deleted_whole(home: Home, offset: int) -> None:
    folder = _make(home, "broken")
    data = (folder / "project.db").read_bytes()
    (folder / "project.db").write_bytes(data[:offset] + b"nonsense" * ((len(data) - offset) // 8))
    (folder / "runs" / "1").mkdir(parents=True)
    delete(folder, home)
    assert not folder.exists()


class TestADuplicate:
    @pytest.fixture
    def full(self, home: Home) -> Iterator[Project]:
        """Two runs, of which one goes on in a job; a release."""
        with make_project(home) as project:
            project.settings.write(ProjectSettings(serving_temperature=0.3))
            add_examples(project)
            sha256 = add_dataset(project)
            run_id = add_run(project, sha256, done=True)
            (project.folder / "runs" / str(run_id)).mkdir(parents=True)
            (project.folder / "runs" / str(run_id) / "adapter.safetensors").write_bytes(b"weights")
            add_evaluation(project, run_id)
            project.releases.add("adapter", run_id, "releases/adapter-1", "ab" * 32)
            going_on = add_run(project, sha256, done=False)
            (project.folder / "runs" / str(going_on)).mkdir(parents=True)
            for stage in ("questions", "generate", "train"):
                project.settings.keep_timing(stage, 1.0)
            _set_to_work(project)
            yield project

    @pytest.mark.parametrize(
        ("kept", "examples", "runs", "timings"),
        [("questions", 0, [], {"questions"}), ("examples", 40, [], {"questions", "generate"}),
         ("runs", 40, [1], {"questions", "generate", "train"})],
    )  # fmt: skip
    def test_it_has_what_was_asked_for_and_no_more(
        self, home: Home, full: Project, kept: Kept, examples: int, runs: list[int], timings: set[str]
    ) -> None:
        with Project.open(duplicate(full, "twin", kept), home) as twin:
            assert twin.prompts.current() == full.prompts.current()
            assert twin.rules.all() == full.rules.all()
            assert twin.questions.all() == full.questions.all()
            assert twin.settings.read() == full.settings.read()
            assert twin.examples.counts().total == examples
            assert twin.examples.all() == (full.examples.all() if examples else ())
            assert len(twin.examples.window(0, 100, Selection(search="desk"))) == examples
            assert [run.id for run in twin.runs.all()] == runs
            assert twin.evaluations.count() == len(twin.datasets.all()) == len(runs)
            assert (twin.folder / "runs" / "1" / "adapter.safetensors").exists() is bool(runs)
            assert not (twin.folder / "runs" / "2").exists()
            assert set(twin.settings.timings()) == timings
            assert twin.jobs.all() == ()
            assert twin.releases.all() == ()
            assert twin.check() == ()
            # It can be worked on: what was left out has left its indexes too.
            add_examples(twin)
            assert len(twin.examples.window(0, 100, Selection(search="desk"))) == 40
        assert [path.name for path in home.projects.iterdir() if path.name != full.name] == ["twin"]

    def test_it_leaves_the_bytes_of_what_it_left_out_behind(self, home: Home, full: Project) -> None:
        folder = duplicate(full, "twin")
        assert b"RISK SCORE: 1. Please call" in (full.folder / DATABASE).read_bytes() + _log_of(full.folder / DATABASE)
        assert b"RISK SCORE: 1. Please call" not in (folder / "project.db").read_bytes()

    def test_a_copy_of_an_archived_one_is_not_archived(self, home: Home) -> None:
        folder = _make(home, "old")
        archive(folder, home)
        with Project.open(folder, home) as project:
            assert not look(duplicate(project, "twin"), home).archived

    @pytest.mark.parametrize("name", ["meridian-desk", "taken", ".hidden", "a/b", ""])
    def test_a_name_that_is_taken_or_none_is_refused(self, home: Home, full: Project, name: str) -> None:
        (home.projects / "taken").write_text("a file")
        before = sorted(home.projects.iterdir())
        with pytest.raises(UsageError):
            duplicate(full, name)
        assert sorted(home.projects.iterdir()) == before

    def test_two_at_a_time_do_not_meet(self, home: Home, full: Project) -> None:
        lock = FileLock.take(home.state / "duplicate.lock") if make_private_folder(home.state) else None
        assert lock is not None
        with pytest.raises(StoreError, match="Another project is being duplicated"):
            duplicate(full, "twin")
        lock.release()
        duplicate(full, "twin")

    def test_a_place_that_is_taken_meanwhile_stays_its_own(
        self, home: Home, full: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_copy = Project.write_copy

        def taken(project: Project, folder: Path, kept: Kept) -> None:
            write_copy(project, folder, kept)
            (home.projects / "twin").mkdir()
            (home.projects / "twin" / "thesis.txt").write_text("mine")

        monkeypatch.setattr(Project, "write_copy", taken)
        with pytest.raises(UsageError, match="taken"):
            duplicate(full, "twin")
        assert [path.name for path in (home.projects / "twin").iterdir()] == ["thesis.txt"]

    def test_a_disk_that_fails_is_told_and_leaves_no_project(
        self, home: Home, full: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full_disk(*args: object, **kwargs: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(shutil, "copytree", full_disk)
        with pytest.raises(StoreError, match="No space left"):
            duplicate(full, "twin", "runs")
        assert [summary.name for summary in list_projects(home)] == [full.name]
        assert not (home.projects / ".twin.part").exists()

    def test_killed_in_the_middle_it_leaves_nothing_half(self, home: Home, full: Project) -> None:
        program = f"""
import os, signal, shutil
from pathlib import Path
from engine.paths import Home
from engine.projects import duplicate, find_project
shutil.copytree = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
home = Home.locate(Path({str(home.root)!r}))
duplicate(find_project({full.name!r}, home), "twin", "runs")
"""
        done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
        assert done.returncode == -signal.SIGKILL
        assert [summary.name for summary in list_projects(home)] == [full.name]
        assert (home.projects / ".twin.part").is_dir()
        duplicate(full, "other")
        assert not (home.projects / ".twin.part").exists()

    def test_it_is_of_one_moment_while_another_process_writes(self, home: Home, full: Project) -> None:
        program = f"""
import sys
from pathlib import Path
from engine.paths import Home
from engine.project import Project
from engine.records.options import GenerateOptions
from engine.records.question import Question
from engine.records.prompt import Message
with Project.open(Path({str(full.folder)!r}), Home.locate(Path({str(home.root)!r}))) as project:
    number = 0
    while True:
        number += 1
        with project.transaction():  # two facts that belong together
            project.questions.add([Question((Message("user", f"pair {{number}} left"),), topic="pairs")])
            project.questions.add([Question((Message("user", f"pair {{number}} right"),), topic="pairs")])
        if number == 20:
            print("writing", flush=True)
"""
        with subprocess.Popen(
            [sys.executable, "-c", program], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "writing\n"
            folder = duplicate(full, "twin")
            assert writer.poll() is None
            writer.kill()
        with Project.open(folder, home) as twin:
            texts = {question.text for question in twin.questions.all(topic="pairs")}
            assert len(texts) >= 40
            assert {text.replace("left", "right") for text in texts} == {t for t in texts if "right" in t}
            assert len(texts) % 2 == 0
            assert twin.check() == ()


def _log_of(database: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return database.with_name(f"{database.name}-wal").read_bytes()
    return b""


def test_a_training_that_was_configured_but_never_ran_stays_behind(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        project.runs.add(add_dataset(project), TrainingConfig(base="starter"))
        with Project.open(duplicate(project, "twin", "runs"), home) as twin:
            assert twin.runs.all() == ()
            assert len(twin.datasets.all()) == 1


def test_what_does_not_hold_together_is_not_duplicated(home: Home) -> None:
    folder = _make(home, "old")
    with contextlib.closing(sqlite3.connect(folder / "project.db")) as connection:
        connection.execute("DROP TABLE jobs")
    with Project.open(folder, home) as project, pytest.raises(StoreError):
        duplicate(project, "twin")
    assert [summary.name for summary in list_projects(home)] == ["old"]


def test_a_job_that_waits_for_its_process_is_at_work(home: Home) -> None:
    with Project.create(home.projects / "busy", home=home) as project:
        project.jobs.add(GenerateOptions())
    assert [job.state for job in look(project.folder, home).jobs] == ["waiting"]


@pytest.mark.parametrize(
    "messages",
    ["garbage", "[" * 100_000, "{}", '[{"role": "owner", "content": 1}]'],
    ids=["no JSON", "deep", "no list", "no message"],
)
def test_what_no_program_wrote_hides_no_other_project(home: Home, messages: str) -> None:
    broken = _make(home, "broken")
    _make(home, "well")
    with contextlib.closing(sqlite3.connect(broken / "project.db")) as driver, driver:
        driver.execute("INSERT INTO prompts VALUES (1, 'x', ?, '', 1, '')", (messages,))
    troubles = {project.name: project.trouble for project in list_projects(home)}
    assert "cannot be read" in troubles["broken"]
    assert not troubles["well"]


@pytest.mark.parametrize("place", ["../../elsewhere", "/elsewhere", "runs/../../elsewhere"])
def test_no_folder_of_a_project_leads_out_of_it(home: Home, place: str) -> None:
    folder = _make(home, "foreign")
    with Project.open(folder, home) as project:
        job = project.jobs.add(TrainOptions(1))
    with contextlib.closing(sqlite3.connect(folder / "project.db")) as driver, driver:
        driver.execute("UPDATE jobs SET folder = ?", (place,))
    with Project.open(folder, home) as project:
        for ask in (project.jobs.all, project.jobs.live, lambda: project.jobs.get(job.id)):
            with pytest.raises(StoreError, match="inside the project"):
                ask()


@pytest.mark.parametrize("name", ["n" * 300, "./" + "n" * 300], ids=["a name", "a path"])
def test_a_name_that_no_file_can_have_is_no_project(home: Home, name: str) -> None:
    with pytest.raises(NotFoundError, match="name too long"):
        find_project(name, home)
    with pytest.raises(UsageError, match="name too long"):
        Project.create(Path(name) / "new", home=home)
    with pytest.raises(NotFoundError, match="name too long"):
        load_benchmark_prompt(f"./{name}")


def test_a_project_behind_a_link_is_deleted_with_the_link(home: Home, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    make_private_folder(home.projects)
    (home.projects / "linked").symlink_to(disk)
    Project.create(home.projects / "linked", home=home).delete()
    assert not (home.projects / "linked").is_symlink()
    assert not any(disk.iterdir())


def test_a_last_used_one_that_cannot_be_looked_at_is_gone(home: Home, tmp_path: Path) -> None:
    remember(tmp_path / ("n" * 300), home)
    assert last_used(home) is None

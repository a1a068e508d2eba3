"""The export as a process of its own: killed, it leaves nothing behind, and is taken up again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.jobs import control
from engine.jobs.liveness import is_alive, mark_lost_jobs
from engine.project import Project
from engine.records.options import ExportOptions
from engine.releases.job import check_export
from tests.engine.jobs.support import wait_until
from tests.engine.releases.llama import write_converter

WAITS = """import os, pathlib, sys, time
pathlib.Path(sys.argv[sys.argv.index("--outfile") + 1] + ".pid").write_text(str(os.getpid()))
time.sleep(600)
"""


@pytest.fixture
def project(project: Project) -> Iterator[Project]:
    yield project
    for job in project.jobs.live():
        if is_alive(job):
            os.killpg(job.pid, signal.SIGKILL)


def test_a_killed_export_leaves_neither_files_nor_a_converter_and_goes_on(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CPP", "")
    monkeypatch.setenv("PATH", "")
    llama_cpp, options = write_converter(tmp_path / "llama.cpp", WAITS), ExportOptions(1, "gguf")
    check_export(project, options, str(llama_cpp))
    job = project.start_job(options)
    wait_until(lambda: bool(list(project.releases_folder.glob(".*/*.pid"))), 120)
    (told,) = project.releases_folder.glob(".*/*.pid")
    wait_until(lambda: bool(told.read_text()))
    converter = psutil.Process(int(told.read_text()))
    os.kill(job.pid, signal.SIGKILL)  # the job's process alone, as the kernel would for lack of memory
    wait_until(lambda: not converter.is_running() or converter.status() == psutil.STATUS_ZOMBIE)
    wait_until(lambda: bool(mark_lost_jobs(project)) or project.jobs.get(job.id).state == "lost")
    assert project.releases.all() == ()
    write_converter(llama_cpp)
    control.resume(project, project.jobs.get(job.id))
    wait_until(lambda: project.jobs.get(job.id).state == "done", 120)
    (made,) = project.releases.all()
    assert [path.name for path in project.releases_folder.iterdir()] == [Path(made.folder).name]
    assert (project.folder / made.folder / "model.gguf").is_file()

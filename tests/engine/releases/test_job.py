"""The export as a separate process: killed, it leaves nothing behind, and it can be resumed."""

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
from tests.engine.releases.fake_llama_cpp import write_converter

WAITING_CONVERTER = """import os, pathlib, sys, time
pathlib.Path(sys.argv[sys.argv.index("--outfile") + 1] + ".pid").write_text(str(os.getpid()))
time.sleep(600)
"""


@pytest.fixture
def project(project: Project) -> Iterator[Project]:
    yield project
    for job in project.jobs.live():
        if is_alive(job):
            os.killpg(job.pid, signal.SIGKILL)


def test_killed_export_leaves_no_files_and_no_converter_and_can_be_resumed(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CPP", "")
    monkeypatch.setenv("PATH", "")
    llama_cpp, options = write_converter(tmp_path / "llama.cpp", WAITING_CONVERTER), ExportOptions(1, "gguf")
    check_export(project, options, str(llama_cpp))
    job = project.start_job(options)
    wait_until(lambda: bool(list(project.releases_folder.glob(".*/*.pid"))), 120)
    (pid_file,) = project.releases_folder.glob(".*/*.pid")
    wait_until(lambda: bool(pid_file.read_text()))
    converter = psutil.Process(int(pid_file.read_text()))
    os.kill(job.pid, signal.SIGKILL)  # only the job's process, as the kernel does when memory runs out
    wait_until(lambda: not converter.is_running() or converter.status() == psutil.STATUS_ZOMBIE)
    wait_until(lambda: bool(mark_lost_jobs(project)) or project.jobs.get(job.id).state == "lost")
    assert project.releases.all() == ()
    write_converter(llama_cpp)
    control.resume(project, project.jobs.get(job.id))
    wait_until(lambda: project.jobs.get(job.id).state == "done", 120)
    (made,) = project.releases.all()
    assert [path.name for path in project.releases_folder.iterdir()] == [Path(made.folder).name]
    assert (project.folder / made.folder / "model.gguf").is_file()

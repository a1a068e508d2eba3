"""A job keeps running when the terminal that started it closes."""

import os
import signal
import sys
from pathlib import Path

import pexpect

from engine.jobs.follow import follow
from engine.project import Project
from tests.engine.jobs.support import STAGES_FOLDER

_PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from support import options
from engine.jobs import launch
from engine.project import Project
launch.WORKER_MODULE = "steps_worker"
with Project.open(Path(sys.argv[1])) as project:
    job = project.start_job(options("gated", 20))
    print("started", job.id, flush=True)
    input()
"""


def test_job_outlives_the_terminal_that_started_it(project: Project, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    terminal = pexpect.spawn(
        sys.executable,
        [str(program), str(project.folder), STAGES_FOLDER],
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # nohup would have it ignored
    )
    terminal.expect("started 1")
    pid = terminal.pid
    # A closing terminal window does the same: the kernel sends SIGHUP to all processes of the terminal.
    terminal.ptyproc.fileobj.close()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGHUP
    assert project.jobs.get(1).state in ("waiting", "running")
    (project.folder / "jobs/1/gate").touch()
    list(follow(project, 1))
    assert project.jobs.get(1).state == "done"
    assert len((project.folder / "jobs/1/facts").read_text().splitlines()) == 20

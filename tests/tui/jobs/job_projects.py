"""A project with a job in each of five states."""

from pathlib import Path

from engine.jobs.launch import LOG_FILE
from engine.jobs.protocol import StateChanged
from engine.paths import Home
from engine.records.options import EvaluateOptions, ExportOptions, GenerateOptions, SynthesizeOptions, TrainOptions
from tests.tui.seeds import add_job, make_project

FAILED_NOTE = "The endpoint refused the key. It said: invalid api key. Set OPENAI_API_KEY, then take the job up again."
WAITING_NOTE = "job 3 (train) of meridian-desk holds cpu"


def make_jobs(home: Home) -> Path:
    """Create a project with five jobs: finished, failed, running, waiting for that one, and stopped."""
    with make_project(home) as project:
        add_job(project, SynthesizeOptions(), "done", [StateChanged("done")])
        add_job(project, GenerateOptions(), "failed", [StateChanged("failed", FAILED_NOTE)], FAILED_NOTE)
        add_job(project, TrainOptions(1), "running", [StateChanged("running")])
        add_job(project, EvaluateOptions(1), "waiting", [StateChanged("waiting", WAITING_NOTE)], WAITING_NOTE)
        add_job(project, ExportOptions(1), "stopped", [StateChanged("stopped")])
        project.jobs.update(3, done=88, total=216)
        for number, seconds in ((1, 31.0), (2, 4.0), (3, 512.0)):
            project.jobs.write_work(number, "run", seconds, 0)
        for job in project.jobs.all():
            (project.folder / job.folder / LOG_FILE).write_text(f"2026-01-02 process 71 begins job {job.id}\n")
        return project.folder

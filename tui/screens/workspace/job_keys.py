"""Which job a key is about, what it may request from it in its current state, and the message to show. Pure."""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from tui.keys import key_of

if TYPE_CHECKING:
    from engine.jobs.control_file import Asked
    from engine.records.job import Job
    from tui.actions import PaneName
    from tui.services.facts import Facts
    from tui.services.job_view import JobView

JobKey = Literal["pause", "resume", "stop"]


def meant_job(key: JobKey, facts: "Facts | None", view: "JobView | None", pane: "PaneName") -> "Job | None":
    """The job that a key is about: the watched one, or one that the shown pane offers to resume.

    The watched job's state is that of its `view`, which the user sees: the log is read more often than the store.
    """
    if facts is None or (job := facts.newest_job) is None:
        return None
    if view is not None and view.job_id == job.id and view.live:
        job = replace(job, state=view.state)
    if key == "resume" and answer_to(key, job, facts.asked.get(job.id, ""))[0] is None:
        here = max((other for other in facts.jobs if other.stage == pane), key=lambda other: other.id, default=job)
        return here if answer_to(key, here)[0] is not None else job
    return job


def answer_to(key: JobKey, job: "Job | None", asked: "Asked" = "") -> tuple[JobKey | None, str]:
    """The request to the job, None if there is none to make, and the message to show.

    `asked`: what it was asked to do and has not done yet. Another request would replace that.
    """
    if job is None:
        return None, "There is no job."
    if asked == "stopping" and job.state in ("running", "waiting", "paused"):
        return None, f"Job {job.id} is already stopping."
    if asked == "pausing" and key != "stop":
        return "resume", f"Job {job.id} continues without a pause."
    if key == "pause" and job.state == "paused":
        key = "resume"
    match key:
        case "pause" if job.state in ("running", "waiting"):
            return "pause", f"Job {job.id} will pause at its next safe point."
        case "resume" if job.state in ("paused", "stopped", "failed", "lost"):
            return "resume", f"Resuming job {job.id}."
        case "stop" if job.state in ("running", "waiting", "paused"):
            again = f"{key_of('workspace.resume')} resumes it"
            return "stop", f"Job {job.id} will stop at its next safe point. {again}."
        case "stop" if job.state in ("failed", "lost"):
            return "stop", f"Job {job.id} is put aside. {key_of('workspace.resume')} resumes it."
        case _:
            return None, f"Job {job.id} {job.state_text}."

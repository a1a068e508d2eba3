"""What a key may request from the watched job in its current state, and the message to show. Pure."""

from typing import TYPE_CHECKING, Literal

from tui.keys import key_of

if TYPE_CHECKING:
    from engine.records.job import Job

JobKey = Literal["pause", "resume", "stop"]


def answer_to(key: JobKey, job: "Job | None", *, ending: bool = False) -> tuple[JobKey | None, str]:
    """The request to the job, None if there is none to make, and the message to show.

    `ending`: it was already asked to stop, which another request would replace.
    """
    if job is None:
        return None, "There is no job."
    if ending and job.state in ("running", "waiting", "paused"):
        return None, f"Job {job.id} is already stopping."
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
        case _:
            return None, f"Job {job.id} {job.state_text}."

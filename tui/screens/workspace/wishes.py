"""What a key may ask of the watched job in the state that it is in, and what is said to it. Pure."""

from typing import TYPE_CHECKING, Literal

from tui.keys import key_of

if TYPE_CHECKING:
    from engine.records.job import Job

Asked = Literal["pause", "resume", "stop"]


def answer_to(asked: Asked, job: "Job | None", *, ending: bool = False) -> tuple[Asked | None, str]:
    """The wish that is put to the job, None where there is none to put; and the words for the person.

    `ending`: it was asked to stop. Another wish would take the place of that one.
    """
    if job is None:
        return None, "There is no job."
    if ending and job.state in ("running", "waiting", "paused"):
        return None, f"Job {job.id} is ending already."
    if asked == "pause" and job.state == "paused":
        asked = "resume"
    match asked:
        case "pause" if job.state in ("running", "waiting"):
            return "pause", f"Job {job.id} pauses at its next safe point."
        case "resume" if job.state in ("paused", "stopped", "failed", "lost"):
            return "resume", f"Job {job.id} goes on."
        case "stop" if job.state in ("running", "waiting", "paused"):
            again = f"{key_of('workspace.resume')} takes it up again"
            return "stop", f"Job {job.id} ends at its next safe point. {again}."
        case _:
            return None, f"Job {job.id} is {job.state}."

"""`distill-tui jobs`: lists and controls the jobs of a project, and shows their logs."""

import math

import click

from engine.clean import clean_line
from engine.cli.following import announce, follow_job
from engine.cli.invocation import CommandGroup, Invocation, command_options
from engine.cli.made import made
from engine.errors import NotFoundError, UsageError
from engine.records.job import Job, JobState
from engine.status import job_json
from engine.wording import duration, in_columns

_NOTICED_WITHIN_S = 5.0  # by a paused job that is resumed
_PAUSED: tuple[JobState, ...] = ("paused",)


@click.group("jobs", cls=CommandGroup)
def command() -> None:
    """List, follow, pause, resume and stop jobs, show their logs, or end a training early."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also list jobs that are done or were stopped.")
@command_options
def list_(invocation: Invocation, everything: bool) -> None:
    """List the jobs that are running, waiting or paused, and those that failed or were killed.

    With --json, the state of a killed job is `lost`.
    """
    from engine.jobs.control_file import shown_state
    from engine.jobs.liveness import mark_lost_jobs

    project = invocation.project
    mark_lost_jobs(project)
    jobs = [job for job in project.jobs.all() if everything or job.state not in ("done", "stopped")]
    rows = [job_json(project, job) for job in jobs]
    invocation.finish(
        in_columns(
            ("job", "kind", "state", "progress", "worked", "note"),
            [
                (
                    str(job.id),
                    job.kind,
                    shown_state(project.folder, job),
                    f"{job.done} of {job.total}" if job.total else "",  # some count nothing
                    _worked(row["worked_s"]),
                    clean_line(job.note),
                )
                for job, row in zip(jobs, rows, strict=True)
            ],
        )
        or ("No jobs." if everything else "No jobs to list. --all also lists those that are done or were stopped."),
        {"jobs": rows},
    )


def _worked(seconds: object) -> str:
    return duration(seconds) if isinstance(seconds, float) and seconds else "–"


@command.command("follow")
@click.argument("job_id", type=int)
@command_options
def follow(invocation: Invocation, job_id: int) -> None:
    """Show the progress of job JOB_ID until it ends, and what it has made. Ctrl-C stops following, not the job."""
    project = invocation.project
    job = follow_job(invocation, project.jobs.get(job_id))
    try:
        text, data = made(project, job)
    except NotFoundError as error:  # it was deleted since
        text, data = str(error), {}
    done = f"Job {job.id} ({job.kind}) is done."
    invocation.finish("\n".join(filter(None, (done, text))), {"job": job_json(project, job), **data})


@command.command("log")
@click.argument("job_id", type=int)
@click.option("--lines", type=click.IntRange(1), default=50, show_default=True, help="Number of lines to print.")
@command_options
def log(invocation: Invocation, job_id: int, lines: int) -> None:
    """Print the last lines of the log of job JOB_ID: library output, and tracebacks of failures."""
    from engine.clean import clean_text
    from engine.jobs.printed import end_of_log

    job = invocation.project.jobs.get(job_id)
    printed = clean_text("\n".join(end_of_log(invocation.project.folder / job.folder).splitlines()[-lines:]))
    invocation.finish(printed or "The log is empty.", {"job": job_json(invocation.project, job), "log": printed})


@command.command("pause")
@click.argument("job_id", type=int)
@command_options
def pause(invocation: Invocation, job_id: int) -> None:
    """Pause job JOB_ID at its next safe point. Its model stays in memory."""
    from engine.jobs import control

    job = control.pause(invocation.project, invocation.project.jobs.get(job_id))
    invocation.finish(f"Job {job.id} will pause at its next safe point.", {"job": job_json(invocation.project, job)})


@command.command("resume")
@click.argument("job_id", type=int)
@click.option("--key-env", default=None, metavar="NAME", help="Environment variable that holds the endpoint's API key.")
@command_options
def resume(invocation: Invocation, job_id: int, key_env: str | None) -> None:
    """Resume job JOB_ID from what it has stored, after it was paused, stopped or killed, or failed."""
    from engine.jobs import control
    from engine.training.in_use import require_free_to_resume

    job = invocation.project.jobs.get(job_id)
    if key_env is not None:
        _bind(job, key_env)
    require_free_to_resume(invocation.project, job)
    control.resume(invocation.project, job)
    control.has_left(invocation.project, job, _PAUSED, _NOTICED_WITHIN_S)
    announce(invocation, invocation.project.jobs.get(job_id), "resumed")


@command.command("keep")
@click.argument("job_id", type=int)
@command_options
def keep(invocation: Invocation, job_id: int) -> None:
    """End the training of job JOB_ID early, and keep its best checkpoint as the result."""
    from engine.jobs import control

    job = control.keep(invocation.project, invocation.project.jobs.get(job_id))
    invocation.finish(
        f"Job {job.id} will measure its run once more and keep the best checkpoint.",
        {"job": job_json(invocation.project, job)},
    )


@command.command("stop")
@click.argument("job_id", type=int)
@click.option(
    "--kill",
    is_flag=True,
    help="Kill the process if it has not stopped within 30 s; requests in flight may be paid for twice.",
)
@click.option("--wait", is_flag=True, help="Return only when it has stopped.")
@command_options
def stop(invocation: Invocation, job_id: int, kill: bool, wait: bool) -> None:
    """Stop job JOB_ID at its next safe point. Its results so far are kept, and it can be resumed.

    A job that failed or was killed is then listed as stopped: only with --all.
    """
    from engine.jobs import control
    from engine.jobs.liveness import mark_lost_jobs
    from engine.records.job import LIVE_STATES

    if kill:
        invocation.say("Waiting up to 30 s for its next safe point before the process is killed.")
    project = invocation.project
    job = control.stop(project, project.jobs.get(job_id), force=kill)
    if wait:
        control.has_left(project, job, LIVE_STATES, math.inf)
    mark_lost_jobs(project)
    job = project.jobs.get(job_id)
    text = f"Job {job.id} will stop at its next safe point."
    if job.state not in LIVE_STATES:
        text = f"Job {job.id} {job.state_text}. {job.note}".rstrip()
    invocation.finish(text, {"job": job_json(project, job)})


def _bind(job: Job, variable: str) -> None:
    """Bind the key variable that the user names again: a project may come from a stranger, and must not choose it."""
    from engine.records.options import GenerateOptions
    from engine.store.jobs import options_of_job
    from engine.teachers.keys import bind_variable

    options = options_of_job(job)
    teacher = options.teacher if isinstance(options, GenerateOptions) else None
    if teacher is None or teacher.kind != "endpoint":
        raise UsageError(
            f"Job {job.id} does not take --key-env.", "It does not generate from an endpoint.", "Leave it out."
        )
    bind_variable(teacher.base_url, variable)

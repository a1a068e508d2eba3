"""`distill-tui jobs`: lists, follows, pauses, resumes, stops and keeps the jobs of a project, and tells their logs."""

import click

from engine.cli.following import announce, follow_job
from engine.cli.invocation import CommandGroup, Invocation, command_options
from engine.errors import UsageError
from engine.records.job import Job
from engine.status import job_json
from engine.wording import duration


@click.group("jobs", cls=CommandGroup)
def command() -> None:
    """List, follow, pause, resume and stop jobs; read what one printed; keep what one trained."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also jobs that have ended.")
@command_options
def list_(invocation: Invocation, everything: bool) -> None:
    """List the jobs that live, and those that were killed."""
    from engine.jobs.liveness import reap

    project = invocation.project
    reap(project)
    jobs = [job for job in project.jobs.all() if everything or job.state not in ("done", "stopped")]
    worked = {job.id: sum(work.seconds for work in project.jobs.work(job.id).values()) for job in jobs}
    widest = max((len(job.kind) for job in jobs), default=0)
    invocation.finish(
        "\n".join(
            f"{job.id:>4}  {job.kind:<{widest}} {job.state:<8} {_progress(job):<16} "
            f"{duration(worked[job.id]) if worked[job.id] else '–':>11}  {job.note}".rstrip()
            for job in jobs
        )
        or ("No jobs." if everything else "No job lives or was killed. --all lists those that have ended."),
        {"jobs": [job_json(invocation.project, job) for job in jobs]},
    )


def _progress(job: Job) -> str:
    """How far it is; nothing of a job that counts nothing."""
    return f"{job.done:>6} of {job.total}" if job.total else ""


@command.command("follow")
@click.argument("job_id", type=int)
@command_options
def follow(invocation: Invocation, job_id: int) -> None:
    """Show what job JOB_ID does until it ends. Ctrl-C stops following, not the job."""
    job = follow_job(invocation, invocation.project.jobs.get(job_id))
    invocation.finish(f"Job {job.id} ({job.kind}) is done.", {"job": job_json(invocation.project, job)})


@command.command("log")
@click.argument("job_id", type=int)
@click.option("--lines", type=click.IntRange(1), default=50, show_default=True, help="How many of its last lines.")
@command_options
def log(invocation: Invocation, job_id: int, lines: int) -> None:
    """Print the end of what job JOB_ID printed: what libraries said, and the trace of what failed."""
    from engine.clean import clean_text
    from engine.jobs.printed import end_of_log

    job = invocation.project.jobs.get(job_id)
    printed = clean_text("\n".join(end_of_log(invocation.project.folder / job.folder).splitlines()[-lines:]))
    invocation.finish(printed or "It has printed nothing.", {"job": job_json(invocation.project, job), "log": printed})


@command.command("pause")
@click.argument("job_id", type=int)
@command_options
def pause(invocation: Invocation, job_id: int) -> None:
    """Let job JOB_ID wait at its next safe point."""
    from engine.jobs import control

    job = control.pause(invocation.project, invocation.project.jobs.get(job_id))
    invocation.finish(f"Job {job.id} pauses at its next safe point.", {"job": job_json(invocation.project, job)})


@command.command("resume")
@click.argument("job_id", type=int)
@click.option("--key-env", default=None, metavar="NAME", help="The variable that holds the key, as generate takes it.")
@command_options
def resume(invocation: Invocation, job_id: int, key_env: str | None) -> None:
    """Let job JOB_ID go on: paused, stopped, failed or killed, from what it has stored."""
    from engine.jobs import control

    job = invocation.project.jobs.get(job_id)
    if key_env is not None:
        _bind(job, key_env)
    announce(invocation, control.resume(invocation.project, job))


@command.command("keep")
@click.argument("job_id", type=int)
@command_options
def keep(invocation: Invocation, job_id: int) -> None:
    """End the training of job JOB_ID now, as done, with its best checkpoint."""
    from engine.jobs import control

    job = control.keep(invocation.project, invocation.project.jobs.get(job_id))
    invocation.finish(
        f"Job {job.id} measures its run once more and keeps the best.", {"job": job_json(invocation.project, job)}
    )


@command.command("stop")
@click.argument("job_id", type=int)
@click.option(
    "--kill", is_flag=True, help="Wait 30 s for it, then end the process; what was in flight may be paid twice."
)
@command_options
def stop(invocation: Invocation, job_id: int, kill: bool) -> None:
    """End job JOB_ID at its next safe point; what it made is kept."""
    from engine.jobs import control

    if kill:
        invocation.say("It may reach its next safe point within 30 s; else its process is ended.")
    job = control.stop(invocation.project, invocation.project.jobs.get(job_id), force=kill)
    ended = f"Job {job.id} is {job.state}. {job.note}".rstrip()
    invocation.finish(
        ended if kill else f"Job {job.id} ends at its next safe point.", {"job": job_json(invocation.project, job)}
    )


def _bind(job: Job, variable: str) -> None:
    """Named anew by whoever resumes: a project may come from a stranger, and no variable is read because it says so."""
    from engine.records.options import GenerateOptions
    from engine.store.jobs import options_of_job
    from engine.teachers.keys import bind_variable

    options = options_of_job(job)
    teacher = options.teacher if isinstance(options, GenerateOptions) else None
    if teacher is None or teacher.kind != "endpoint":
        raise UsageError(f"Job {job.id} takes no --key-env.", "Only answers of an endpoint do.", "Leave it out.")
    bind_variable(teacher.base_url, variable)

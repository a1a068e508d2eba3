"""`distill-tui serve`: starts the job that serves every arm, and prints its address."""

import asyncio

import click

from engine.cli.following import watch_server
from engine.cli.invocation import Invocation, Number, command_options
from engine.records.options import ServeOptions
from engine.status import job_json

_DEFAULT = ServeOptions()


@click.command("serve")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_DEFAULT.port,
    help="Port on the loopback interface; 0 picks a free one.",
)
@click.option(
    "--run", "run_id", type=int, default=None, help="Number of the run whose base is served; defaults to the newest."
)
@click.option(
    "--idle-minutes",
    type=Number(0.05),
    default=_DEFAULT.idle_minutes,
    help="Minutes without a request after which the server stops.",
)
@click.option("--detach", is_flag=True, help="Return as soon as the server is ready; it keeps running.")
@command_options
def command(invocation: Invocation, port: int, run_id: int | None, idle_minutes: float, detach: bool) -> None:
    """Serve every arm over an OpenAI-compatible API on this machine, from one base in memory.

    The arms are model names: unprompted, prompted, run-1, run-1@60 (its adapter at 60 % strength), run-1+prompt.
    Ctrl-C stops following; the server keeps running until it is stopped or has been idle for --idle-minutes.
    """
    from engine.errors import JobError
    from engine.serving.address import ADDRESS_FILE
    from engine.serving.client import ArmClient, find_server, wait_until_ready

    project = invocation.project
    there = find_server(project)
    if there is not None:
        raise JobError(
            "The project is already being served.",
            f"Job {there.id}: {(there.note or there.state).rstrip('.')}.",
            f"Stop it first: distill-tui jobs stop {there.id}",
        )
    if run_id is not None:
        project.runs.get(run_id)
    job = project.start_job(ServeOptions(run_id, port, idle_minutes))

    async def reach() -> tuple[str, tuple[str, ...]]:
        address = await wait_until_ready(project.folder, job, lambda _, words: invocation.say(words) if words else None)
        async with ArmClient(address) as client:
            return address.base_url, await client.arms()

    try:
        base_url, arms = asyncio.run(reach())
    except KeyboardInterrupt:
        invocation.say(
            f"Job {job.id} keeps running. "
            f"Follow it: distill-tui jobs follow {job.id}. Stop it: distill-tui jobs stop {job.id}"
        )
        raise click.Abort from None
    token_file = project.folder / job.folder / ADDRESS_FILE
    invocation.finish(
        f"{base_url}\nModels: {', '.join(arms)}\nThe token is in {token_file}\nStop it: distill-tui jobs stop {job.id}",
        {
            "job": job_json(project, project.jobs.get(job.id)),
            "base_url": base_url,
            "models": list(arms),
            "token_file": str(token_file),
        },
    )
    if not detach:
        watch_server(invocation, job)

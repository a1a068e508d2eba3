"""`distill-tui demo`: runs every station on the bundled prompt, and shows the results."""

import sys
from typing import cast

import click

from engine.cli.following import announce, follow_job
from engine.cli.invocation import Invocation, command_options, detach_option
from engine.cli.made import finish
from engine.cli.main import OpenApp


@click.command("demo")
@click.option("--quick", is_flag=True, help="Use fewer questions: done in minutes, but with less certain results.")
@click.option(
    "--headless", is_flag=True, help="Print progress and results as text instead of opening the terminal app."
)
@click.option("--fresh", is_flag=True, help="Stop and delete an earlier demo, and start over.")
@detach_option
@command_options
def command(invocation: Invocation, quick: bool, headless: bool, fresh: bool, detach: bool) -> None:
    """Distil the bundled prompt into the starter model: questions, answers, training, proof, release.

    The demo runs as a job, which keeps running when you quit or lose the connection. Run the same command again to
    follow it.
    """
    from engine.demo import ensure_demo_job, open_demo

    project = open_demo(invocation.home, quick=quick, fresh=fresh)
    invocation.adopt(project)
    job = ensure_demo_job(project, quick=quick)
    if detach:
        announce(invocation, job)
        return
    open_app = cast("OpenApp | None", click.get_current_context().obj)
    if open_app is not None and not headless and not invocation.json_output and sys.stdout.isatty():
        click.get_current_context().exit(open_app(project.folder, invocation.home))
    finish(invocation, job if job.state == "done" else follow_job(invocation, job))

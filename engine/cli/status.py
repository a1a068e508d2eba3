"""`distill-tui status`: the state of every station of the project."""

from typing import TYPE_CHECKING

import click

from engine.cli.invocation import Invocation, command_options
from engine.wording import counted

if TYPE_CHECKING:
    from engine.store.spending import TeacherSpending

_MARKS = {"empty": "–", "ready": "○", "running": "●", "done": "✓", "stale": "◐", "failed": "✗"}


@click.command("status")
@command_options
def command(invocation: Invocation) -> None:
    """Show the state of every station, the running, waiting and paused jobs, and what endpoints have cost."""
    from engine.folders import is_of_home
    from engine.jobs.control_file import shown_state
    from engine.jobs.liveness import mark_lost_jobs
    from engine.stations import read_stations
    from engine.status import is_due, status_json

    project = invocation.project
    mark_lost_jobs(project)  # first: the stations tell of the jobs that were killed
    stations = read_stations(project)
    elsewhere = "" if is_of_home(project.folder, invocation.home) else f"  {project.folder}"
    lines = [project.name + elsewhere]
    for number, station in enumerate(stations, start=1):
        lines.append(
            f"  {number} {station.name.capitalize():<11} {_MARKS[station.state]} {station.state:<8}"
            f" {station.count:>6}  {station.note}".rstrip()
        )
    lines += [
        f"  job {job.id} {job.kind} {shown_state(project.folder, job)} {job.done} of {job.total} {job.note}".rstrip()
        for job in project.jobs.live()
    ]
    if day := project.settings.remind_on():
        due = ", due now: distill-tui prompt check, then distill-tui prompt remind DATE" if is_due(day) else ""
        lines.append(f"  reminder to check the prompt on {day}{due}")
    lines += [_spent_text(spent) for spent in project.spending.all() if spent.cost_usd or spent.other_requests]
    invocation.finish("\n".join(lines), status_json(project, stations))


def _spent_text(spent: "TeacherSpending") -> str:
    """What an endpoint was asked and what it cost, including endpoints that are free."""
    sent = spent.prompt_tokens + spent.other_prompt_tokens
    written = spent.completion_tokens + spent.other_completion_tokens
    estimated = f", of {counted(spent.other_counted_here, 'request')} estimated" if spent.other_counted_here else ""
    asked = f"{counted(spent.answers, 'answer')}, {counted(spent.other_requests, 'other request')}"
    cost = f"{spent.cost_usd:,.6f}".rstrip("0").rstrip(".")
    return f"  {spent.teacher} cost {cost} USD: {asked}, {sent:,} + {written:,} tokens{estimated}"

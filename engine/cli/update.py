"""`distill-tui update`: after a change of the prompt or a rule, redoes what it affects, as one job."""

import click

from engine.cli.following import announce, follow_job
from engine.cli.invocation import Invocation, Number, command_options, detach_option
from engine.cli.made import made
from engine.records.options import UpdateOptions
from engine.status import job_json
from engine.wording import duration


@click.command("update")
@click.option("--plan", "plan_only", is_flag=True, help="Print the plan without carrying it out.")
@click.option(
    "--by-rules",
    is_flag=True,
    help="Let the rules alone decide which answers are kept, whatever else changed in the prompt.",
)
@click.option(
    "--epochs",
    type=Number(0.0, min_open=True),
    default=None,
    help="Training epochs; defaults to a quarter of the earlier run's.",
)
@click.option("--from-scratch", is_flag=True, help="Train from the base instead of the earlier run's adapter.")
@detach_option
@command_options
def command(
    invocation: Invocation, *, plan_only: bool, by_rules: bool, epochs: float | None, from_scratch: bool, detach: bool
) -> None:
    """Bring the project up to date after a change of prompt or rules, redoing only what is affected.

    Answers that pass the current rules and that no change affects are carried over to the new version; the teacher is
    asked for the others again. Training starts from the earlier run's adapter, and the evaluation compares both
    students. Run the same command again to follow a running update, or to continue one that was stopped.
    """
    from engine.updates.begin import begin_update
    from engine.updates.plan import plan_update
    from engine.updates.plan_text import plan_json, plan_text

    project = invocation.project
    before_s = sum(project.settings.timings().values())
    plan = plan_update(project, by_rules_alone=by_rules)
    if plan_only:
        text = plan_text(plan)
        invocation.finish(text, {"plan": plan_json(plan), "text": text})
        return
    invocation.say(plan_text(plan))
    job = begin_update(project, UpdateOptions(by_rules, epochs, from_scratch))
    if detach:
        announce(invocation, job)
        return
    follow_job(invocation, job)
    text, data = made(project, job)
    if plan.changed:
        seconds = sum(work.seconds for work in project.jobs.work(job.id).values())
        invocation.say(f"Updated in {duration(seconds)}; the work that it builds on had taken {duration(before_s)}.")
    before = {"plan": plan_json(plan), "before_s": round(before_s, 3)}
    invocation.finish(text, {"job": job_json(project, job), **before, **data})

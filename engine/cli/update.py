"""`distill-tui update`: after the prompt or a rule changed, redoes what the change touches, as one job."""

import click

from engine.cli.following import announce, follow_job
from engine.cli.invocation import Invocation, Number, command_options
from engine.records.options import UpdateOptions
from engine.wording import duration


@click.command("update")
@click.option("--plan", "plan_only", is_flag=True, help="Print the plan and do nothing.")
@click.option("--by-rules", is_flag=True, help="Changed passages touch nothing: the rules alone decide what is kept.")
@click.option("--epochs", type=Number(0.0, min_open=True), default=None, help="Else a quarter of the earlier run's.")
@click.option("--from-scratch", is_flag=True, help="Train from the base, not from the earlier run's adapter.")
@click.option("--detach", is_flag=True, help="Start the job, say its number, and return.")
@command_options
def command(
    invocation: Invocation, *, plan_only: bool, by_rules: bool, epochs: float | None, from_scratch: bool, detach: bool
) -> None:
    """Compare the newest dataset with the prompt and rules as they are now, say what that touches, and redo only that.

    Answers that keep the rules of now and that no change touches become examples of the new version; the others are
    asked for anew. Training starts from the earlier run's adapter. The same words follow an update that is at work, and
    go on where one was stopped.
    """
    from engine.errors import UsageError
    from engine.evaluation.report import proof_json
    from engine.reports.build import build
    from engine.reports.facts import read_report
    from engine.reports.text import to_text
    from engine.updates.begin import begin_update
    from engine.updates.plan import plan_update
    from engine.updates.side_by_side import earlier_run
    from engine.updates.telling import plan_json, plan_text

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
    newest = project.datasets.require_latest().sha256
    measured = (each for each in reversed(project.runs.all()) if project.evaluations.latest(each.id) is not None)
    run = next((each for each in measured if each.dataset_sha256 == newest), None)
    if run is None:
        raise UsageError("The run is gone.", "It was deleted while the update ended.", "Run the update once more.")
    earlier = earlier_run(project, run)
    facts = read_report(project, run.id, None if earlier is None else earlier.id)
    seconds = sum(work.seconds for work in project.jobs.work(job.id).values())
    if plan.changed:
        invocation.say(f"Brought up to date in {duration(seconds)}; what it rests on had taken {duration(before_s)}.")
    data = {
        "plan": plan_json(plan),
        "run": run.id,
        "initial_run": run.config.initial_run_id,
        "earlier_run": None if earlier is None else earlier.id,
        "update_s": round(seconds, 3),
        "before_s": round(before_s, 3),
        "report": proof_json(facts.proof),
    }
    invocation.finish(to_text(build(facts), 80), data)

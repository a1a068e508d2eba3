"""`distill-tui update`: after the prompt or a rule changed, redoes what the change touches, station by station."""

import dataclasses
import time
from typing import TYPE_CHECKING

import click

from engine.cli.following import start_and_follow
from engine.cli.invocation import Invocation, Number, command_options
from engine.records.options import TrainOptions
from engine.records.run import Run
from engine.wording import counted, duration

if TYPE_CHECKING:
    from engine.updates.plan import UpdatePlan


@click.command("update")
@click.option("--plan", "plan_only", is_flag=True, help="Print the plan and do nothing.")
@click.option("--by-rules", is_flag=True, help="Changed passages touch nothing: the rules alone decide what is kept.")
@click.option("--epochs", type=Number(0.0, min_open=True), default=None, help="Else a quarter of the earlier run's.")
@click.option("--from-scratch", is_flag=True, help="Train from the base, not from the earlier run's adapter.")
@command_options
def command(
    invocation: Invocation, *, plan_only: bool, by_rules: bool, epochs: float | None, from_scratch: bool
) -> None:
    """Compare the newest dataset with the prompt and rules as they are now, say what that touches, and redo only that.

    Answers that keep the rules of now and that no change touches become examples of the new version; the others are
    asked for anew. Training starts from the earlier run's adapter. Interrupted, the same words go on where it ended.
    """
    from engine.errors import UsageError
    from engine.evaluation.report import proof_json
    from engine.reports.build import build
    from engine.reports.facts import read_report
    from engine.reports.text import to_text
    from engine.updates.plan import plan_update
    from engine.updates.side_by_side import earlier_run
    from engine.updates.telling import plan_json, plan_text

    began = time.monotonic()
    project = invocation.project
    before_s = sum(project.settings.timings().values())
    plan = plan_update(project, by_rules_alone=by_rules)
    if plan_only:
        text = plan_text(plan)
        invocation.finish(text, {"plan": plan_json(plan), "text": text})
        return
    if live := project.jobs.live():
        raise UsageError(
            "Something is at work in this project.", f"Job {live[0].id} ({live[0].kind}).", "Wait for it, or stop it."
        )
    invocation.say(plan_text(plan))
    if plan.changed:
        _answers(invocation, plan)
    run = _train(invocation, plan, epochs, from_scratch=from_scratch)
    earlier = earlier_run(project, run)
    if project.evaluations.latest(run.id) is None:
        _evaluate(invocation, run, earlier)
    facts = read_report(project, run.id, None if earlier is None else earlier.id)
    seconds = time.monotonic() - began
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


def _answers(invocation: Invocation, plan: "UpdatePlan") -> None:
    """Carry over, ask for the rest, let the rules decide, and freeze."""
    from engine.curation.automatic import check_examples
    from engine.curation.freeze import freeze
    from engine.model.chat_format import ChatFormat
    from engine.model.locate import locate_base
    from engine.updates.carry import carry

    project = invocation.project
    carried = carry(project, plan)
    invocation.say(f"{counted(carried.answers, 'answer')} carried over.")
    if carried.options is not None:
        start_and_follow(invocation, carried.options, detach=False)
    decided = check_examples(project)
    invocation.say(f"The rules accepted {decided.accepted} and rejected {decided.rejected}.")
    base = locate_base(project.settings.read().student_base, invocation.home)
    dataset = freeze(project, ChatFormat.load(base))
    invocation.say(f"Frozen: {len(dataset.split('train'))} train, {len(dataset.split('validation'))} validation.")


def _train(invocation: Invocation, plan: "UpdatePlan", epochs: float | None, *, from_scratch: bool) -> Run:
    """The trained run of the newest dataset: there already, gone on with, or started from the earlier adapter."""
    from engine.records.run import TrainingConfig

    project = invocation.project
    dataset = project.datasets.require_latest()
    newest = project.runs.latest()
    run = newest if newest is not None and newest.dataset_sha256 == dataset.sha256 else None
    if run is not None and run.state == "done":
        return run
    if run is None:
        earlier = plan.run
        config = TrainingConfig(dataset.base) if earlier is None else earlier.config
        start = earlier.id if earlier is not None and not from_scratch else None
        wanted = epochs if epochs is not None else config.epochs / 4 if start is not None else config.epochs
        config = dataclasses.replace(config, epochs=wanted, initial_run_id=start, replanned=())
        run = project.runs.add(dataset.sha256, config)
        begins = f"from run {start}'s adapter" if start is not None else "from the base"
        invocation.say(f"Run {run.id} trains {begins} for {wanted:g} epochs.")
    start_and_follow(invocation, TrainOptions(run.id), detach=False)
    return project.runs.get(run.id)


def _evaluate(invocation: Invocation, run: Run, earlier: Run | None) -> None:
    """As the earlier run was evaluated, with its student beside the new one."""
    from engine.updates.side_by_side import evaluation_beside

    options = evaluation_beside(invocation.project, run, earlier)
    if earlier is None:
        invocation.say("There is no earlier adapter over this base: the new student is measured without an old one.")
    start_and_follow(invocation, options, detach=False)

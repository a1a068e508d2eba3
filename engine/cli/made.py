"""What a finished job has made, as text and as JSON data: the same from its own command and from `jobs follow`.

Knows nothing of how jobs are started or followed.
"""

import dataclasses
from typing import TYPE_CHECKING

from engine.errors import NotFoundError
from engine.jobs.protocol import WorstTokens
from engine.records.job import Job
from engine.records.options import (
    BenchOptions,
    DemoOptions,
    EvaluateOptions,
    ExportOptions,
    GenerateOptions,
    HarnessOptions,
    SweepOptions,
    TrainOptions,
    UpdateOptions,
)
from engine.status import job_json
from engine.wording import answers_pass, counted

if TYPE_CHECKING:
    from engine.cli.invocation import Invocation
    from engine.project import Project

Made = tuple[str, dict[str, object]]


def finish(invocation: "Invocation", job: Job) -> None:
    """Print what a finished job has made, with the job itself in the JSON."""
    text, data = made(invocation.project, job)
    invocation.finish(text, {"job": job_json(invocation.project, job), **data})


def made(project: "Project", job: Job) -> Made:
    """Return what `job` has made; both empty if its kind makes nothing to report.

    Raises NotFoundError if it was deleted since.
    """
    from engine.store.jobs import options_of_job

    match options_of_job(job):
        case GenerateOptions():
            return _answers(project, job)
        case TrainOptions(run_id):
            return _run(project, job, run_id)
        case SweepOptions() as options:
            return _sweep(project, options)
        case EvaluateOptions(run_id):
            return _evaluation(project, run_id)
        case DemoOptions() | BenchOptions():
            return _evaluation(project, None)
        case UpdateOptions():
            return _update(project, job)
        case ExportOptions() as options:
            return _release(project, options)
        case HarnessOptions(release_id):
            return _harness(project, release_id)
        case _:
            return "", {}


def _answers(project: "Project", job: Job) -> Made:
    from engine.curation.meaning import counts_of_now
    from engine.jobs.follow import latest_progress
    from engine.teachers.fault_kinds import counted_faults
    from engine.teachers.unanswered import unanswered

    counts, spent, failed = counts_of_now(project), project.spending.usd(), unanswered(project.folder / job.folder)
    progress = latest_progress(project.folder / job.folder)
    # A job that is done has left the others for its budget. `failed` names questions, the progress every answer.
    not_asked = max(0, job.total - job.done - progress.failed) if progress is not None else 0
    lines = [
        f"{counted(counts.total, 'example')} stored: {counts.words}{f'; {spent:.2f} USD spent' if spent else ''}.",
        *([f"Not answered: {counted(failed.total(), 'question')} ({counted_faults(failed)})."] if failed else []),
        *([f"Not asked: {counted(not_asked, 'answer')}, because of the budget."] if not_asked else []),
        "Next: distill-tui curate check, then distill-tui curate list",
    ]
    return "\n".join(lines), {
        "examples": {
            "total": counts.total,
            "accepted": counts.accepted,
            "rejected": counts.rejected,
            "undecided": counts.undecided,
        },
        "failed": failed.total(),
        "failures": dict(failed),
        "not_asked": not_asked,
        "cost_usd": spent,
    }


def _run(project: "Project", job: Job, run_id: int) -> Made:
    run = project.runs.get(run_id)
    best = next((point for point in run.curve if point.best), None)
    passing = answers_pass(best.all_rules_rate, best.asked) if best else ""
    figures = f": {best.measure} {best.validation_kl:.3f}{passing}" if best else ""
    text = f"Run {run.id} is trained, best at step {run.best_step} of {run.steps}{figures}.\nNext: distill-tui evaluate"
    return text, {
        "run": {
            "id": run.id,
            "folder": run.folder,
            "steps": run.steps,
            "best_step": run.best_step,
            "train_s": run.train_s,
            "peak_rss_mb": run.peak_rss_mb,
            "disk_mb": run.disk_mb,
            "estimate": dataclasses.asdict(run.estimate) if run.estimate else None,
            "validation_kl": best.validation_kl if best else None,
            "measure": run.short_measure,
            "all_rules_rate": best.all_rules_rate if best else None,
            "worst_tokens": _worst_tokens(project, job, run.best_step),
        }
    }


def _worst_tokens(project: "Project", job: Job, step: int) -> list[dict[str, object]]:
    """Return the tokens at which student and teacher differed most at this step, from the job's log."""
    from engine.jobs.follow import read_all

    events = [stamped.event for stamped in read_all(project.folder / job.folder)]
    worst = [event.tokens for event in events if isinstance(event, WorstTokens) and event.step == step]
    return [dataclasses.asdict(token) for token in worst[-1]] if worst else []


def _sweep(project: "Project", options: SweepOptions) -> Made:
    from engine.training.sweep import Tried, sweep_json, sweep_text, winner

    runs = [Tried(project.runs.get(trial.run_id), trial.words) for trial in options.trials]
    won = winner(runs)
    return sweep_text(runs, won), sweep_json(runs, won)


def _evaluation(project: "Project", run_id: int | None) -> Made:
    from engine.evaluation.report import report_json
    from engine.reports.outputs import brief_text

    return brief_text(project, run_id), report_json(project, run_id)


def _update(project: "Project", job: Job) -> Made:
    from engine.evaluation.report import proof_json
    from engine.reports.build import build
    from engine.reports.facts import read_report
    from engine.reports.text import to_text
    from engine.updates.side_by_side import earlier_run

    newest, trained = project.datasets.require_latest().sha256, project.runs.trained_by()
    measured = [each for each in reversed(project.runs.all()) if project.evaluations.latest(each.id) is not None]
    own = (each for each in measured if job.id in trained.get(each.id, ()))
    # An update that had nothing to train measured the run that was there.
    run = next(own, None) or next((each for each in measured if each.dataset_sha256 == newest), None)
    if run is None:
        raise NotFoundError("The run is gone.", "It was deleted since the update.", "Run the update again.")
    earlier = earlier_run(project, run)
    facts = read_report(project, run.id, None if earlier is None else earlier.id)
    return to_text(build(facts), 80), {
        "run": run.id,
        "initial_run": run.config.initial_run_id,
        "earlier_run": None if earlier is None else earlier.id,
        "update_s": round(sum(work.seconds for work in project.jobs.work(job.id).values()), 3),
        "report": proof_json(facts.proof),
    }


def _release(project: "Project", options: ExportOptions) -> Made:
    from engine.releases.card import parity_text
    from engine.releases.job import destination_of

    place = destination_of(project, options)
    release = next((each for each in reversed(project.releases.all()) if project.folder / each.folder == place), None)
    if release is None:
        raise NotFoundError(
            "The release is gone.", "It was replaced or removed since.", "See distill-tui releases list"
        )
    what = {"adapter": "adapter", "merged": "merged model", "gguf": "GGUF file"}[release.kind]
    lines = [f"Released the {what} of run {release.run_id} as release {release.id} in {place}"]
    if release.kind == "gguf":
        lines.append(parity_text(release.parity))
    lines += ["To serve it: see README.md in that folder", "To verify it, run there: sha256sum -c SHA256SUMS"]
    proved = {"parity": dataclasses.asdict(release.parity)} if release.parity is not None else {}
    return "\n".join(lines), {
        "release": release.id,
        "kind": release.kind,
        "run": release.run_id,
        "folder": release.folder,
        "path": str(place),
        "sha256": release.sha256,
        **proved,
    }


def _harness(project: "Project", release_id: int) -> Made:
    from engine.evaluation.harness_json import harness_json
    from engine.reports.document import Document
    from engine.reports.harness import harness_section
    from engine.reports.text import to_text

    release = next((each for each in project.releases.all() if each.id == release_id), None)
    if release is None:
        raise NotFoundError("The release is gone.", "It was removed since.", "See distill-tui releases list")
    results = project.harness.standing(release.run_id)[-1:]
    document = Document(project.name, f"Release {release.id}", "", "plain", (harness_section(results),))
    return to_text(document), {"harness": harness_json(results)}

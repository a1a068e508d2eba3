"""`distill-tui runs`: lists runs and the disk space that they use, frees their checkpoints, or deletes a run."""

import click

from engine.cli.invocation import CommandGroup, Invocation, command_options
from engine.wording import answers_pass, counted, duration, in_columns, size


@click.group("runs", cls=CommandGroup)
def command() -> None:
    """List runs, free the checkpoints of finished runs, and delete runs."""


@command.command("list")
@command_options
def list_(invocation: Invocation) -> None:
    """List the runs with the best step of each, and the disk space that it uses."""
    from engine.training.freeing import held_mb

    project = invocation.project
    lines: list[tuple[str, ...]] = []
    rows: list[dict[str, object]] = []
    for run in project.runs.all():
        best = next((point for point in run.curve if point.best), None)
        held = held_mb(project.folder / run.folder)
        figures = (
            "–"
            if best is None
            else f"{best.measure} {best.validation_kl:.3f}{answers_pass(best.all_rules_rate, best.asked)}"
        )
        step = f"{run.step:,} of {run.steps:,}"
        lines.append(
            (str(run.id), run.state_word, step, f"{run.best_step:,}", figures, duration(run.train_s), size(held))
        )
        rows.append(
            {
                "id": run.id,
                "state": run.state,
                "step": run.step,
                "steps": run.steps,
                "best_step": run.best_step,
                "validation_kl": best.validation_kl if best else None,
                "measure": run.short_measure,
                "all_rules_rate": best.all_rules_rate if best else None,
                "train_s": run.train_s,
                "created_at": run.created_at,
                "folder": run.folder,
                "held_mb": held,
            }
        )
    left = project.runs.half_deleted()
    text = "\n".join(
        [
            *filter(None, [in_columns(("run", "state", "step", "best", "validation", "time", "disk"), lines)]),
            *(f"Run {id} is deleted, but its files remain. Remove them: distill-tui runs delete {id}" for id in left),
        ]
    )
    invocation.finish(text or "No runs yet. Next: distill-tui train", {"runs": rows, "half_deleted": left})


@command.command("free")
@click.argument("ids", type=int, nargs=-1)
@click.option("--done", is_flag=True, help="Free the checkpoints of every finished run.")
@command_options
def free(invocation: Invocation, ids: tuple[int, ...], *, done: bool) -> None:
    """Delete the checkpoints of the runs IDS, keeping their adapters, curves and evaluations.

    Without its checkpoints, a run can only be evaluated at its best step. An unfinished run needs them to resume, and
    cannot be freed.
    """
    from engine.errors import UsageError
    from engine.releases.contents import has_adapter
    from engine.training.freeing import free_checkpoints

    project = invocation.project
    if bool(ids) == done:
        raise UsageError("Which runs?", "Pass either their numbers or --done.", "See `distill-tui runs list`.")
    runs = [*map(project.runs.get, dict.fromkeys(ids))]
    if done:  # a run whose adapter is gone keeps its checkpoints
        runs = [run for run in project.runs.all() if run.state == "done" and has_adapter(project, run)]
    freed = free_checkpoints(project, runs)
    invocation.finish(
        f"Freed {size(freed)} from {counted(len(runs), 'run')}.", {"runs": [run.id for run in runs], "freed_mb": freed}
    )


@command.command("delete")
@click.argument("run_id", metavar="ID", type=int)
@click.option(
    "--force",
    is_flag=True,
    help="Delete the run even if it was released, or another run or a job needs it to continue.",
)
@command_options
def delete(invocation: Invocation, run_id: int, *, force: bool) -> None:
    """Delete run ID: its adapter, checkpoints, curve, evaluations with all their answers, and votes.

    Its releases stay where they are. A run that a job is using cannot be deleted, even with --force.
    """
    from engine.training.deleting import delete_run

    deleted = delete_run(invocation.project, run_id, force=force)
    counts = f"{counted(deleted.evaluations, 'evaluation')}, {counted(deleted.votes, 'vote')}"
    lines = [
        f"Deleted run {deleted.id}, {counts}; {size(deleted.freed_mb)} freed.",
        *(f"Its release is kept in {folder}" for folder in deleted.releases),
        *([f"Its folder was a link; the files are kept in {deleted.elsewhere}"] if deleted.elsewhere else []),
    ]
    invocation.finish(
        "\n".join(lines),
        {
            "deleted": deleted.id,
            "evaluations": deleted.evaluations,
            "votes": deleted.votes,
            "freed_mb": deleted.freed_mb,
            "releases": [str(folder) for folder in deleted.releases],
            "elsewhere": str(deleted.elsewhere) if deleted.elsewhere else None,
        },
    )

"""`distill-tui export`: the seventh station. Releases the adapter, or the merged model."""

from pathlib import Path
from typing import Literal

import click

from engine.cli.invocation import Invocation, command_options


@click.command("export")
@click.option("--form", type=click.Choice(("adapter", "merged")), default="adapter")
@click.option("--run", "run_id", type=int, default=None, help="A run's number; else the last one.")
@click.option("--to", "destination", type=click.Path(path_type=Path), default=None, help="Else the project's releases.")
@click.option("--force", is_flag=True, help="Replace what is at the destination.")
@command_options
def command(
    invocation: Invocation,
    form: Literal["adapter", "merged"],
    run_id: int | None,
    destination: Path | None,
    force: bool,
) -> None:
    """Write tokenizer, chat template, generation configuration, checksums and a model card beside the weights."""
    from engine.errors import NotFoundError
    from engine.releases.export import export

    project = invocation.project
    run = project.runs.latest_trained() if run_id is None else project.runs.get(run_id)
    if run is None:
        raise NotFoundError("There is no run to release.", "", "Train one: distill-tui train")
    release = export(project, run, form, destination, home=invocation.home, force=force)
    invocation.finish(
        f"Released the {form} of run {run.id} in {release.folder}\nVerify it: cd there, then sha256sum -c SHA256SUMS",
        {
            "release": release.id,
            "kind": release.kind,
            "run": release.run_id,
            "folder": release.folder,
            "sha256": release.sha256,
        },
    )

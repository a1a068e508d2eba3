"""`distill-tui export`: the seventh station. Releases the adapter, or the merged model, also as GGUF."""

from dataclasses import asdict
from pathlib import Path
from typing import get_args

import click

from engine.cli.following import start_and_follow
from engine.cli.invocation import Invocation, command_options
from engine.records.release import GgufType, ReleaseKind


@click.command("export")
@click.option("--form", type=click.Choice(get_args(ReleaseKind)), default="adapter", show_default=True)
@click.option("--run", "run_id", type=int, default=None, help="A run's number; else the last one.")
@click.option("--to", "destination", type=click.Path(path_type=Path), default=None, help="Else the project's releases.")
@click.option("--force", is_flag=True, help="Replace what is at the destination.")
@click.option(
    "--llama-cpp",
    default="",
    show_default=False,
    metavar="DIR",
    help="For gguf: the folder of llama.cpp, whose converter is run; else $LLAMA_CPP, else the PATH.",
)
@click.option(
    "--gguf-type",
    type=click.Choice(get_args(GgufType)),
    default="auto",
    show_default=True,
    help="For gguf: how a number is stored; auto is 16 bits, as the base is stored.",
)
@click.option("--detach", is_flag=True, help="Start the job, say its number, and return.")
@command_options
def command(
    invocation: Invocation,
    form: ReleaseKind,
    run_id: int | None,
    destination: Path | None,
    force: bool,
    llama_cpp: str,
    gguf_type: GgufType,
    detach: bool,
) -> None:
    """Write tokenizer, chat template, generation configuration, checksums and a model card beside the weights.

    The form gguf is one file for llama.cpp and a Modelfile for Ollama. Where llama-server is found too, it is asked a
    few questions: it must read them as the student was trained to, and answer like the weights it was made from.
    """
    from engine.errors import NotFoundError, UsageError
    from engine.paths import expand
    from engine.records.options import ExportOptions
    from engine.releases.card import parity_words
    from engine.releases.job import check_export

    if form != "gguf" and (llama_cpp or gguf_type != "auto"):
        raise UsageError("Only gguf is made with llama.cpp.", f"The form is {form}.", "Add --form gguf.")
    project = invocation.project
    run = project.runs.latest_trained() if run_id is None else project.runs.get(run_id)
    if run is None:
        raise NotFoundError("There is no run to release.", "", "Train one: distill-tui train")
    to = str(expand(destination).absolute()) if destination is not None else ""
    options = ExportOptions(run.id, form, to, force, gguf_type)
    check_export(project, options, llama_cpp)  # what cannot be is refused before a job starts
    if start_and_follow(invocation, options, detach=detach) is None:
        return
    release = next(each for each in reversed(project.releases.all()) if (each.run_id, each.kind) == (run.id, form))
    lines = [f"Released the {form} of run {run.id} in {release.folder}"]
    if form == "gguf":
        lines.append(parity_words(release.parity))
    lines.append("Verify it: cd there, then sha256sum -c SHA256SUMS")
    proved = {"parity": asdict(release.parity)} if release.parity is not None else {}
    invocation.finish(
        "\n".join(lines),
        {
            "release": release.id,
            "kind": release.kind,
            "run": release.run_id,
            "folder": release.folder,
            "sha256": release.sha256,
            **proved,
        },
    )

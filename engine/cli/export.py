"""`distill-tui export`: the seventh station. Releases the adapter, the merged model or a GGUF file."""

from pathlib import Path
from typing import get_args

import click

from engine.cli.following import start_and_follow
from engine.cli.invocation import Invocation, command_options, detach_option
from engine.cli.made import finish
from engine.records.options import ExportOptions
from engine.records.release import GgufType, ReleaseKind


@click.command("export")
@click.option(
    "--form",
    type=click.Choice(get_args(ReleaseKind)),
    default="adapter",
    show_default=True,
    help="What to release: the adapter, the merged model, or a GGUF file.",
)
@click.option("--run", "run_id", type=int, default=None, help="Number of the run; defaults to the last trained one.")
@click.option(
    "--to",
    "destination",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder to write; defaults to one among the project's releases.",
)
@click.option("--force", is_flag=True, help="Replace an older release at the destination.")
@click.option(
    "--llama-cpp",
    default="",
    show_default=False,
    metavar="DIR",
    help="Folder of llama.cpp, whose converter makes the GGUF; defaults to $LLAMA_CPP, then the PATH.",
)
@click.option(
    "--gguf-type",
    type=click.Choice(get_args(GgufType)),
    default="auto",
    show_default=True,
    help="Number format of a GGUF file; auto is the base's own 16-bit format.",
)
@detach_option
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
    """Release a trained run as an adapter, a merged model or a GGUF file.

    Tokenizer, chat template, generation configuration, checksums and a model card are written beside the weights. The
    form gguf is one file for llama.cpp, with a Modelfile for Ollama. If llama-server is found as well, it is asked a
    few questions: it must tokenise them as in training, and answer like the weights that the file was made from.
    """
    from engine.errors import NotFoundError, UsageError
    from engine.paths import expand
    from engine.releases.job import check_export

    if form != "gguf" and (llama_cpp or gguf_type != "auto"):
        raise UsageError("Only the form gguf uses llama.cpp.", f"The form is {form}.", "Add --form gguf.")
    project = invocation.project
    run = project.runs.latest_trained() if run_id is None else project.runs.get(run_id)
    if run is None:
        raise NotFoundError("There is no run to release.", "", "Train one: distill-tui train")
    to = str(expand(destination).absolute()) if destination is not None else ""
    options = ExportOptions(run.id, form, to, force, gguf_type)
    check_export(project, options, llama_cpp)  # an impossible export is refused before a job starts
    job = start_and_follow(invocation, options, detach=detach)
    if job is not None:
        finish(invocation, job)

"""`distill-tui harness`: measures a release and its base on public tasks that have nothing to do with the prompt."""

import click

from engine.cli.following import start_and_follow
from engine.cli.invocation import Invocation, command_options, detach_option
from engine.cli.made import finish


@click.command("harness")
@click.option(
    "--release",
    "number",
    type=int,
    default=None,
    help="Number of the release; defaults to the newest one that is not GGUF.",
)
@click.option(
    "--tasks",
    required=True,
    multiple=True,
    metavar="NAMES",
    help="lm-eval task names, comma-separated: ifeval,mmlu_anatomy.",
)
@click.option("--limit", type=click.IntRange(1), default=None, help="Maximum number of questions per task.")
@click.option(
    "--few-shot",
    type=click.IntRange(0, 100),
    default=None,
    help="Number of examples before each question; defaults to what the task defines.",
)
@click.option("--batch-rows", type=click.IntRange(1, 4096), default=8, help="Number of rows per forward pass.")
@click.option(
    "--chat-template/--no-chat-template", default=True, help="Format questions with the model's chat template."
)
@click.option("--include-path", default="", show_default=False, metavar="DIR", help="Folder with your own tasks.")
@click.option(
    "--lm-eval",
    "program",
    default="",
    show_default=False,
    metavar="PATH",
    help="Path of the lm_eval program of another environment.",
)
@detach_option
@command_options
def command(
    invocation: Invocation,
    number: int | None,
    tasks: tuple[str, ...],
    limit: int | None,
    few_shot: int | None,
    batch_rows: int,
    chat_template: bool,
    include_path: str,
    program: str,
    detach: bool,
) -> None:
    """Run tasks of lm-evaluation-harness on a release and its base, to see what else training has changed.

    The harness (MIT licence) runs in a separate process and is an optional extra: pip install 'distill-tui[harness]'.
    Its tasks load their data from the Hugging Face hub; your own tasks (--include-path) may use local files. The report
    shows the results.
    """
    from engine.harness.program import check_tasks, find_release, name_program
    from engine.records.options import HarnessOptions

    project = invocation.project
    release = find_release(project, number)
    name_program(program, include_path)  # a missing program or folder is refused before a job starts
    options = HarnessOptions(
        release_id=release.id,
        tasks=check_tasks(tasks),
        limit=limit,
        few_shot=few_shot,
        batch_rows=batch_rows,
        chat_template=chat_template,
    )
    job = start_and_follow(invocation, options, detach=detach)
    if job is not None:
        finish(invocation, job)

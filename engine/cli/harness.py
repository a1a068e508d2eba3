"""`distill-tui harness`: what a release can do beside its prompt, on public tasks, beside its base."""

import click

from engine.cli.following import start_and_follow
from engine.cli.invocation import Invocation, command_options


@click.command("harness")
@click.option("--release", "number", type=int, default=None, help="A release's number; else the last one.")
@click.option(
    "--tasks", required=True, multiple=True, metavar="NAMES", help="lm-eval's names, by comma: ifeval,mmlu_anatomy."
)
@click.option("--limit", type=click.IntRange(1), default=None, help="At most this many questions per task.")
@click.option("--few-shot", type=click.IntRange(0, 100), default=None, help="Examples before a question.")
@click.option("--batch-rows", type=click.IntRange(1, 4096), default=8, help="Rows per forward pass.")
@click.option("--chat-template/--no-chat-template", default=True, help="Ask as a chat.")
@click.option("--include-path", default="", show_default=False, metavar="DIR", help="A folder with tasks of your own.")
@click.option(
    "--lm-eval", "program", default="", show_default=False, metavar="PATH", help="The lm_eval of another environment."
)
@click.option("--detach", is_flag=True, help="Start the job, say its number, and return.")
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
    """Ask the base, then the release, tasks of lm-evaluation-harness (MIT), which runs in a process of its own.

    It is an extra: pip install 'distill-tui[harness]'. Its tasks bring their data from the Hugging Face hub; tasks of
    your own (--include-path) may name local files. The report shows what was measured.
    """
    from engine.evaluation.harness_json import harness_json
    from engine.harness.program import check_tasks, find_release, name_program
    from engine.records.options import HarnessOptions
    from engine.reports.document import Document
    from engine.reports.harness import harness_section
    from engine.reports.text import to_text

    project = invocation.project
    release = find_release(project, number)
    name_program(program, include_path)  # what is not there is refused before a job starts
    options = HarnessOptions(
        release_id=release.id,
        tasks=check_tasks(tasks),
        limit=limit,
        few_shot=few_shot,
        batch_rows=batch_rows,
        chat_template=chat_template,
    )
    if start_and_follow(invocation, options, detach=detach) is not None:
        results = project.harness.standing(release.run_id)[-1:]
        told = Document(project.name, f"Release {release.id}", "", "plain", (harness_section(results),))
        invocation.finish(to_text(told), {"harness": harness_json(results)})

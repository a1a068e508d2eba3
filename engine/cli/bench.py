"""`distill-tui bench`: the benchmark's prompts with any base, each as a project and a job, and one table at the end."""

import click

from engine.cli.following import follow_job
from engine.cli.invocation import Invocation, command_options
from engine.cli.new import teacher_spec
from engine.paths import model_name
from engine.records.options import BenchOptions, ProjectSettings


@click.command("bench")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--base", default="starter", help="The student's base: `starter`, a local folder, or a hub name.")
@click.option("--teacher", "teacher_model", default=None, help="The teacher's model name; else the base itself.")
@click.option("--base-url", default=None, help="An OpenAI-compatible endpoint that serves the teacher.")
@click.option("--quick", is_flag=True, help="A smaller one: fewer questions and samples, a weaker proof.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown, to be put where others see it.")
@click.option(
    "--fresh", is_flag=True, help="Delete earlier results of these prompts and this base first; their jobs are stopped."
)
@command_options
def command(
    invocation: Invocation,
    names: tuple[str, ...],
    base: str,
    teacher_model: str | None,
    base_url: str | None,
    quick: bool,
    markdown: bool,
    fresh: bool,
) -> None:
    """Run the benchmark prompts NAME (triage, desk, handbook, manual, or a folder of your own; else all four).

    Each is a project with one job: it goes on when you quit or the line drops, and the same words show it again. What
    is done already is not done anew.
    """
    from engine.benchmark.job import open_benchmark
    from engine.benchmark.prompts import BUNDLED, load_benchmark_prompt
    from engine.benchmark.results import Result, read_result, results_json
    from engine.benchmark.table import table_of
    from engine.conduct import ensure_job
    from engine.errors import JobError
    from engine.reports.markdown import to_markdown
    from engine.reports.text import to_text

    base = model_name(base)
    settings = ProjectSettings(student_base=base, teacher=teacher_spec(base, teacher_model, base_url))
    # All are read before the first is run: a word that is wrong is told at once.
    prompts = [load_benchmark_prompt(name) for name in dict.fromkeys(names or BUNDLED)]
    results: list[Result] = []
    failed: JobError | None = None
    for benchmark in prompts:
        with open_benchmark(invocation.home, benchmark, settings, quick=quick, fresh=fresh) as project:
            invocation.adopt(project)
            invocation.say(f"── {project.name}")
            failure = ""
            job = ensure_job(project, BenchOptions(quick=quick))
            if job.state != "done":
                try:
                    follow_job(invocation, job)
                except JobError as error:
                    failed, failure = failed or error, str(error)
            results.append(read_result(project, benchmark, failure))
    told = None if failed is None else {"title": failed.title, "message": failed.message, "next": failed.next}
    table = table_of(results, settings, quick=quick)
    invocation.finish(
        to_markdown(table) if markdown else to_text(table), results_json(results, settings, quick=quick, error=told)
    )
    if failed is not None:
        click.get_current_context().exit(failed.exit_status)

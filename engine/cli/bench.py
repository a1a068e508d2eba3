"""`distill-tui bench`: runs the benchmark prompts, each as a project with one job, and prints one table of results."""

import click

from engine.cli.following import follow_job
from engine.cli.invocation import Invocation, command_options, error_json
from engine.cli.new import teacher_spec
from engine.paths import model_name
from engine.records.options import BenchOptions, ProjectSettings


@click.command("bench")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--base", default="starter", help="Base model of the student: `starter`, a local folder, or a hub name.")
@click.option(
    "--teacher", "teacher_model", default=None, help="Model name of the teacher; defaults to the base itself."
)
@click.option("--base-url", default=None, help="URL of an OpenAI-compatible endpoint that serves the teacher.")
@click.option("--quick", is_flag=True, help="Use fewer questions and samples: faster, but less certain results.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option(
    "--fresh", is_flag=True, help="Stop the jobs of these prompts and this base, delete their results, and start over."
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
    """Run the benchmark prompts NAME: triage, desk, handbook, manual, or your own folder; by default all four.

    Each prompt gets a project with one job, which keeps running when you quit or lose the connection. Run the same
    command again to follow it; finished work is not repeated.
    """
    from engine.benchmark.job import open_benchmark
    from engine.benchmark.prompts import BUNDLED, load_benchmark_prompt
    from engine.benchmark.results import Result, read_result, results_json
    from engine.benchmark.table import table_of
    from engine.errors import JobError
    from engine.pipeline import ensure_job
    from engine.reports.markdown import to_markdown
    from engine.reports.text import to_text

    base = model_name(base)
    settings = ProjectSettings(student_base=base, teacher=teacher_spec(base, teacher_model, base_url))
    # All are read before the first is run, so that a wrong name is reported at once.
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
    table = table_of(results, settings, quick=quick)
    failures = {} if failed is None else error_json(failed)
    data = results_json(results, settings, quick=quick) | failures
    invocation.finish(to_markdown(table) if markdown else to_text(table), data)
    if failed is not None:
        click.get_current_context().exit(failed.exit_status)

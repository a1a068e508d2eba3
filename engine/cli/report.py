"""`distill-tui report`: the results of the latest evaluation, as text, JSON, Markdown or one HTML page."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import click

from engine.cli.invocation import Invocation, command_options

_STANDARD_OUTPUT = "-"


@click.command("report")
@click.option("--run", "run_id", type=int, default=None, help="Number of the run; defaults to the one evaluated last.")
@click.option("--compare", type=int, default=None, metavar="RUN", help="Number of a second run to compare with.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the report to one HTML page."
)
@click.option(
    "--markdown",
    is_flag=False,
    flag_value=_STANDARD_OUTPUT,
    default=None,
    metavar="[FILE]",
    help="Write the report as Markdown; without FILE, print it.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@click.option("--slices", is_flag=True, help="Show every slice, by rule too, not only those with the largest gaps.")
@command_options
def command(
    invocation: Invocation,
    run_id: int | None,
    compare: int | None,
    html: Path | None,
    markdown: str | None,
    *,
    force: bool,
    slices: bool,
) -> None:
    """Show the results of an evaluation: verdict, arms rule by rule, cost, training and provenance.

    The HTML page is self-contained, so it can be sent and opened anywhere. Text, Markdown and HTML show the same things
    in the same order; --json prints an object for other programs, without answers and curves.
    """
    from engine.evaluation.report import proof_json, report_json
    from engine.paths import place_to_write
    from engine.reports.build import build
    from engine.reports.facts import read_report
    from engine.reports.markdown import to_markdown
    from engine.reports.outputs import Form, write_report
    from engine.reports.run_comparison import compared_json
    from engine.reports.slices import SLICES, sliced, slices_json
    from engine.reports.text import to_text

    places: list[tuple[Path, Form]] = []  # before anything is read: a bad file name is reported at once
    if html is not None:
        places.append((place_to_write(html, force=force), "html"))
    if markdown is not None and markdown != _STANDARD_OUTPUT:
        places.append((place_to_write(Path(markdown), force=force), "markdown"))
    project = invocation.project
    facts = read_report(project, run_id, compare)
    document = build(facts)
    if slices:
        kept = (section for section in document.sections if section.id != SLICES)
        document = replace(document, sections=(*kept, sliced(facts)))
    files = [write_report(document, path, form) for path, form in places]
    data = proof_json(facts.proof)
    if (other := facts.other) is not None:
        data["compared"] = None if other.evaluation is None else report_json(project, other.run.id)
        data["compared_students"] = compared_json(facts)
    if slices:
        data["slices"] = slices_json(facts)
    if files:
        data["files"] = [str(path) for path in files]
    shown = to_markdown(document) if markdown == _STANDARD_OUTPUT else "" if files else to_text(document, _width())
    invocation.finish("\n".join((*filter(None, (shown,)), *(f"Wrote {path}" for path in files))), data)


def _width() -> int:
    """Return the terminal's width within readable limits, or 80 cells without a terminal."""
    if not sys.stdout.isatty():
        return 80
    return min(max(shutil.get_terminal_size().columns, 60), 110)

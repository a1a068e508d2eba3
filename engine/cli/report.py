"""`distill-tui report`: what the last evaluation proved."""

import click

from engine.cli.invocation import Invocation, command_options


@click.command("report")
@command_options
def command(invocation: Invocation) -> None:
    """Show the arms side by side, rule by rule, with the verdict."""
    from engine.evaluation.report import report_json, report_text

    invocation.finish(report_text(invocation.project), report_json(invocation.project))

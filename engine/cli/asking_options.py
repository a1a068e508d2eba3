"""Options that mean the same in every command that has questions answered."""

import click

from engine.cli.invocation import Number

temperature_option = click.option(
    "--temperature",
    type=Number(0.0, 2.0),
    default=None,
    help="Sampling temperature; defaults to the project's serving temperature.",
)
limit_option = click.option(
    "--limit",
    type=click.IntRange(1),
    default=None,
    help="Maximum number of questions, spread evenly over the topics; a higher limit later adds to them.",
)

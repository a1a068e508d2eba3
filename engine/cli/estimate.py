"""`distill-tui estimate`: before anything is spent, whether distilling pays."""

import dataclasses

import click

from engine.cli.invocation import Invocation, Number, command_options, read_text_argument


@click.command("estimate")
@click.option("--prompt", "prompt_source", default=None, metavar="FILE|-", help="Else the project's current prompt.")
@click.option("--model", default=None, help="The model that answers today, as its provider calls it.")
@click.option("--requests-per-day", type=Number(0.0), default=None)
@click.option("--question-tokens", type=Number(0.0), default=None)
@click.option("--answer-tokens", type=Number(0.0), default=None)
@click.option("--input-usd-per-mtok", type=Number(0.0), default=None, help="Of the model; else as listed.")
@click.option("--cached-input-usd-per-mtok", type=Number(0.0), default=None, help="Of the model; else as listed.")
@click.option("--output-usd-per-mtok", type=Number(0.0), default=None, help="Of the model; else as listed.")
@click.option("--cache-hit-rate", type=Number(0.0, 1.0), default=None)
@click.option("--one-time-usd", type=Number(0.0), default=None, help="Generation, GPU hours, review.")
@click.option("--distilled-input-usd-per-mtok", type=Number(0.0), default=None)
@click.option("--distilled-output-usd-per-mtok", type=Number(0.0), default=None)
@click.option("--retrainings-per-year", type=Number(0.0), default=None)
@command_options
def command(invocation: Invocation, /, prompt_source: str | None, model: str | None, **numbers: float | None) -> None:
    """Tokens and money per request with the prompt, with the provider's cache, and distilled; and the verdict.

    For the project's own prompt, a figure that is not given is the one that the project remembers, has measured, or
    finds in the list of prices; what is left is assumed. `sources` in the JSON says which. For a FILE nothing is
    remembered: --model and --requests-per-day have to be given.
    """
    from engine.cli.prompt import current_prompt
    from engine.economics.estimate import estimate_json, estimate_text
    from engine.economics.figures import Measured, measure, reckon
    from engine.economics.tokens import count_prompt_tokens
    from engine.prompts.documents import parse_prompt
    from engine.records.cost import CostInputs

    said = {name: value for name, value in numbers.items() if value is not None}
    if prompt_source is not None:
        for name, missing in (("--model", model is None), ("--requests-per-day", "requests_per_day" not in said)):
            if missing:
                raise click.UsageError(f"Missing option '{name}'.")
        prompt = parse_prompt(read_text_argument(prompt_source), prompt_source)
        inputs, measured = CostInputs(), Measured()
    else:
        prompt = current_prompt(invocation)
        inputs, measured = invocation.project.settings.cost_inputs(), measure(invocation.project)
    if model is not None and model != inputs.model:
        inputs = dataclasses.replace(  # the remembered prices are another model's
            inputs, input_usd_per_mtok=None, cached_input_usd_per_mtok=None, output_usd_per_mtok=None
        )
    inputs = dataclasses.replace(inputs, model=model or inputs.model, **said)
    costs = reckon(inputs, measured, count_prompt_tokens(prompt, inputs.model, invocation.home))
    invocation.finish(estimate_text(costs.result), estimate_json(costs.result))

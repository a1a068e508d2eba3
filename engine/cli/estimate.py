"""`distill-tui estimate`: before anything is spent, whether distilling pays."""

import dataclasses

import click

from engine.cli.invocation import Invocation, Number, command_options, read_text_argument
from engine.records.cost import CostInputs

RANGED = tuple(
    field.name.replace("_", "-")
    for field in dataclasses.fields(CostInputs)
    if field.name not in ("model", "provider", "ranges")
)


@click.command("estimate")
@click.option("--prompt", "prompt_source", default=None, metavar="FILE|-", help="Else the project's current prompt.")
@click.option("--model", default=None, help="The model that answers today, as its provider calls it.")
@click.option("--provider", default=None, help="Whose prices: openai, anthropic, azure, …; else the first that has it.")
@click.option("--requests-per-day", type=Number(0.0), default=None)
@click.option("--question-tokens", type=Number(0.0), default=None)
@click.option("--answer-tokens", type=Number(0.0), default=None)
@click.option("--input-usd-per-mtok", type=Number(0.0), default=None, help="Of the model; else as listed.")
@click.option("--cached-input-usd-per-mtok", type=Number(0.0), default=None, help="Of the model; else as listed.")
@click.option("--cache-write-usd-per-mtok", type=Number(0.0), default=None, help="Of the model; else as listed.")
@click.option("--output-usd-per-mtok", type=Number(0.0), default=None, help="Of the model; else as listed.")
@click.option("--cache-hit-rate", type=Number(0.0, 1.0), default=None, help="Of the provider's prompt cache.")
@click.option("--cache-min-tokens", type=Number(0.0), default=None, help="Shorter prompts are not cached.")
@click.option("--one-time-usd", type=Number(0.0), default=None, help="All of it, instead of the next three.")
@click.option("--generation-usd", type=Number(0.0), default=None, help="Questions and answers.")
@click.option("--gpu-hours", type=Number(0.0), default=None, help="Of one training.")
@click.option("--gpu-usd-per-hour", type=Number(0.0), default=None)
@click.option("--distilled-input-usd-per-mtok", type=Number(0.0), default=None)
@click.option("--distilled-output-usd-per-mtok", type=Number(0.0), default=None)
@click.option("--retrainings-per-year", type=Number(0.0), default=None)
@click.option("--horizon-months", type=Number(1.0), default=None, help="How far savings count; else 12.")
@click.option("--discount-rate", type=Number(0.0, 1.0), default=None, help="A year: 0.08 is 8 %.")
@click.option("--prefill-tokens-per-s", type=Number(0.0), default=None, help="How fast the model reads a prompt.")
@click.option(
    "--range",
    "ranges",
    type=(click.Choice(RANGED), Number(0.0), Number(0.0)),
    multiple=True,
    metavar="FIGURE LOW HIGH",
    help="Between what a figure lies, such as `requests-per-day 500 5000`; repeatable.",
)
@command_options
def command(
    invocation: Invocation,
    /,
    prompt_source: str | None,
    model: str | None,
    provider: str | None,
    ranges: tuple[tuple[str, float, float], ...],
    **numbers: float | None,
) -> None:
    """Tokens and money per request with the prompt, with the provider's cache, and distilled; and the verdict.

    For the project's own prompt, a figure that is not given is the one that the project remembers, has measured, or
    finds in the list of prices; what is left is assumed. `inputs` in the JSON says which, and how far it may be off.
    For a FILE nothing is remembered: --model and --requests-per-day have to be given.
    """
    from engine.economics.document import estimate_json, estimate_text
    from engine.economics.figures import ONE_TIME_PARTS, reckon
    from engine.economics.measured import Measured, facts_of_prompt, measure
    from engine.economics.tokens import count_prompt_tokens
    from engine.prompts.documents import parse_prompt

    said = {name: value for name, value in numbers.items() if value is not None}
    if prompt_source is not None:
        for name, missing in (("--model", model is None), ("--requests-per-day", "requests_per_day" not in said)):
            if missing:
                raise click.UsageError(f"Missing option '{name}'.")
        prompt = parse_prompt(read_text_argument(prompt_source), prompt_source)
        inputs, measured = CostInputs(), Measured(prompt_facts=facts_of_prompt(prompt))
    else:
        prompt = invocation.project.prompts.require()
        inputs, measured = invocation.project.settings.cost_inputs(), measure(invocation.project)
    if (model is not None and model != inputs.model) or (provider is not None and provider != inputs.provider):
        # the remembered provider and prices are another model's
        inputs = dataclasses.replace(
            inputs,
            provider="",
            input_usd_per_mtok=None,
            cached_input_usd_per_mtok=None,
            cache_write_usd_per_mtok=None,
            output_usd_per_mtok=None,
        )
    if any(part in said for part in ONE_TIME_PARTS):
        inputs = dataclasses.replace(inputs, one_time_usd=None)  # the remembered one would be all of it
    inputs = dataclasses.replace(
        inputs,
        model=model or inputs.model,
        provider=inputs.provider if provider is None else provider,
        ranges=tuple((name.replace("-", "_"), low, high) for name, low, high in ranges) or inputs.ranges,
        **said,
    )
    costs = reckon(inputs, measured, count_prompt_tokens(prompt, inputs.model, invocation.home))
    invocation.finish(estimate_text(costs.result), estimate_json(costs.result))

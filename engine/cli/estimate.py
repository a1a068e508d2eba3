"""`distill-tui estimate`: whether distilling pays off, before any money is spent."""

import dataclasses
from collections.abc import Callable

import click

from engine.cli.invocation import Invocation, Number, command_options, read_text_argument
from engine.economics.labels import INPUTS, Unit
from engine.records.cost import CostInputs

_OPTIONS = {name.replace("_", "-"): words for name, words in INPUTS.items() if words.help}
_LIMITS: dict[Unit, Number] = {"share": Number(0.0, 1.0), "months": Number(1.0)}


def _figure_options(function: Callable[..., None]) -> Callable[..., None]:
    for name, words in reversed(_OPTIONS.items()):
        kind = _LIMITS.get(words.unit, Number(0.0))
        function = click.option(f"--{name}", type=kind, default=None, help=words.help)(function)
    return function


@click.command("estimate")
@click.option(
    "--prompt",
    "prompt_source",
    default=None,
    metavar="FILE|-",
    help="Prompt to distil; defaults to the project's current prompt.",
)
@click.option("--model", default=None, help="Model that answers today, by its provider's name for it.")
@click.option(
    "--provider",
    default=None,
    help="Provider whose prices apply: openai, anthropic, azure, …; defaults to the first that lists the model.",
)
@_figure_options
@click.option(
    "--range",
    "ranges",
    type=(click.Choice(tuple(_OPTIONS)), Number(0.0), Number(0.0)),
    multiple=True,
    metavar="FIGURE LOW HIGH",
    help="Lowest and highest likely value of a figure, such as `requests-per-day 500 5000`. Repeatable.",
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
    """Estimate whether distilling pays off: tokens and cost per request with and without the prompt.

    The estimate compares the prompt, the prompt with the provider's cache, and the distilled model. For the project's
    own prompt, a figure that is not given is taken from what the project remembers or has measured, from the prices in
    its settings, or from the price list; the rest is assumed. `inputs` in the JSON output gives the source of each
    figure, and its uncertainty. With --prompt nothing is remembered, so --model and --requests-per-day are required.
    """
    from engine.economics.document import estimate_json, estimate_text
    from engine.economics.figures import ONE_TIME_PARTS, estimate_costs
    from engine.economics.measured import Measured, facts_of_prompt, measure
    from engine.economics.tokens import count_prompt_tokens
    from engine.prompts.documents import parse_prompt

    given = {name: value for name, value in numbers.items() if value is not None}
    if prompt_source is not None:
        for name, missing in (("--model", model is None), ("--requests-per-day", "requests_per_day" not in given)):
            if missing:
                raise click.UsageError(f"Missing option '{name}'.")
        prompt = parse_prompt(read_text_argument(prompt_source), prompt_source)
        inputs, measured = CostInputs(), Measured(prompt_facts=facts_of_prompt(prompt))
    else:
        prompt = invocation.project.prompts.require()
        inputs, measured = invocation.project.settings.cost_inputs(), measure(invocation.project)
    if (model is not None and model != inputs.model) or (provider is not None and provider != inputs.provider):
        # the remembered provider and prices belong to another model
        inputs = dataclasses.replace(
            inputs,
            provider="",
            input_usd_per_mtok=None,
            cached_input_usd_per_mtok=None,
            cache_write_usd_per_mtok=None,
            output_usd_per_mtok=None,
        )
    if any(part in given for part in ONE_TIME_PARTS):
        inputs = dataclasses.replace(inputs, one_time_usd=None)  # the remembered total would override the parts
    inputs = dataclasses.replace(
        inputs,
        model=model or inputs.model,
        provider=inputs.provider if provider is None else provider,
        ranges=tuple((name.replace("-", "_"), low, high) for name, low, high in ranges) or inputs.ranges,
        **given,
    )
    result = estimate_costs(inputs, measured, count_prompt_tokens(prompt, inputs.model, invocation.home))
    invocation.finish(estimate_text(result), estimate_json(result))

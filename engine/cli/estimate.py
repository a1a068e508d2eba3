"""`distill-tui estimate`: before anything is spent, whether distilling pays."""

import click

from engine.cli.invocation import Invocation, Number, command_options, read_text_argument


@click.command("estimate")
@click.option("--prompt", "prompt_source", default=None, metavar="FILE|-", help="Else the project's current prompt.")
@click.option("--model", required=True, help="The model that answers today, as its provider calls it.")
@click.option("--requests-per-day", type=Number(0.0), required=True)
@click.option("--question-tokens", type=Number(0.0), default=40.0, show_default=True)
@click.option("--answer-tokens", type=Number(0.0), default=200.0, show_default=True)
@click.option("--cache-hit-rate", type=Number(0.0, 1.0), default=0.0, show_default=True)
@click.option("--one-time-usd", type=Number(0.0), default=0.0, help="Generation, GPU hours, review.")
@click.option("--distilled-input-usd-per-mtok", type=Number(0.0), default=0.05, show_default=True)
@click.option("--distilled-output-usd-per-mtok", type=Number(0.0), default=0.2, show_default=True)
@click.option("--retrainings-per-year", type=Number(0.0), default=0.0, show_default=True)
@command_options
def command(
    invocation: Invocation,
    prompt_source: str | None,
    model: str,
    requests_per_day: float,
    question_tokens: float,
    answer_tokens: float,
    cache_hit_rate: float,
    one_time_usd: float,
    distilled_input_usd_per_mtok: float,
    distilled_output_usd_per_mtok: float,
    retrainings_per_year: float,
) -> None:
    """Tokens and money per request with the prompt, with the provider's cache, and distilled; and the verdict."""
    from engine.cli.prompt import current_prompt
    from engine.economics.estimate import EstimateInput, estimate, estimate_json, estimate_text
    from engine.economics.tokens import count_prompt_tokens
    from engine.prompts.documents import parse_prompt

    prompt = (
        parse_prompt(read_text_argument(prompt_source), prompt_source)
        if prompt_source is not None
        else current_prompt(invocation)
    )
    result = estimate(
        EstimateInput(
            prompt_tokens=count_prompt_tokens(prompt, model, invocation.home),
            model=model,
            requests_per_day=requests_per_day,
            question_tokens=question_tokens,
            answer_tokens=answer_tokens,
            cache_hit_rate=cache_hit_rate,
            one_time_usd=one_time_usd,
            distilled_input_usd_per_mtok=distilled_input_usd_per_mtok,
            distilled_output_usd_per_mtok=distilled_output_usd_per_mtok,
            retrainings_per_year=retrainings_per_year,
        )
    )
    invocation.finish(estimate_text(result), estimate_json(result))

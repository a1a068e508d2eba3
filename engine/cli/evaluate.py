"""`distill-tui evaluate`: the sixth station. Starts the job that measures the arms on held-out questions."""

import click

from engine.cli.following import start_and_follow
from engine.cli.invocation import Invocation, Number, command_options
from engine.cli.judge import chosen_judge, judge_options
from engine.records.options import EvaluateOptions, usual_samples
from engine.records.question import SPLITS, Split


@click.command("evaluate")
@click.option("--run", "run_id", type=int, default=None, help="A run's number; else the last one.")
@click.option("--split", type=click.Choice(SPLITS), default="test", help="Whose questions.")
@click.option(
    "--samples", type=click.IntRange(1, 64), default=None, help="Answers per question and arm; else 3, or 1 at T = 0."
)
@click.option("--temperature", type=Number(0.0, 2.0), default=None, help="Else the serving temperature.")
@click.option("--max-answer-tokens", type=click.IntRange(1), default=256, help="Longer ones are cut.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=None,
    help="Ask at most this many, evenly from all topics; a wider limit adds to them.",
)
@click.option("--seed", type=int, default=0, help="Decides every draw.")
@click.option("--batch-rows", type=click.IntRange(1, 1024), default=128, help="Rows decoded together locally.")
@click.option(
    "--arm",
    "arms",
    multiple=True,
    metavar="ARM",
    help="Measure one more: run:3, checkpoint:3:120 or prompt_back. Repeatable.",
)
@click.option(
    "--regressions/--no-regressions",
    default=True,
    help="Also ask what must not have changed: general questions, for the prompt, and against its rules.",
)
@judge_options
@click.option("--preference", is_flag=True, help="Let the judge also compare the student with the reference.")
@click.option(
    "--max-cost", "max_cost_usd", type=Number(0.0), default=None, help="Stop before teacher and judge cost so many USD."
)
@click.option("--no-judge", is_flag=True, help="Leave rubrics out this time.")
@click.option("--detach", is_flag=True, help="Start the job, say its number, and return.")
@command_options
def command(
    invocation: Invocation,
    run_id: int | None,
    split: Split,
    samples: int | None,
    temperature: float | None,
    max_answer_tokens: int,
    limit: int | None,
    seed: int,
    batch_rows: int,
    arms: tuple[str, ...],
    *,
    regressions: bool,
    judge_model: str | None,
    judge_url: str | None,
    preference: bool,
    max_cost_usd: float | None,
    no_judge: bool,
    detach: bool,
) -> None:
    """Measure every rule, with and without the prompt, before and after training.

    Regressions cost one short answer each: 54 general questions, beside the base's own answers (KL, and checks of our
    own); a dozen requests for the prompt, which the student must not recite; up to 20 held-out questions that end with
    an order against the rules. They are told in the report and do not decide the verdict. Whether the student bears
    the prompt being put back: --arm prompt_back.

    A judge decides on the rules that are rubrics: one request for each answer and rubric, at temperature 0. Its key is
    found as a teacher's is (`distill-tui keys`). A reply that cannot be read counts neither way and is told. Take a
    judge of another family than the teacher: models prefer what is like their own answers. With --preference it also
    says which is better, the student's answer or the reference's: two requests a question, one for each order, and a
    tie where the orders disagree; the win rate is told as it is and at equal lengths, with how far the judge agrees
    with your own votes of `distill-tui chat`. What was answered before --max-cost was reached is kept: evaluate again,
    with more to spend, and nothing is asked twice.
    """
    from engine.errors import NotFoundError, UsageError
    from engine.evaluation.extra_arms import find_arms
    from engine.evaluation.report import report_json
    from engine.reports.outputs import brief_text
    from engine.teachers.ledger import require_prices

    project = invocation.project
    run = project.runs.latest_trained() if run_id is None else project.runs.get(run_id)
    if run is None:
        raise NotFoundError("There is no run to evaluate.", "", "Train one: distill-tui train")
    settings = project.settings.read()
    judge = chosen_judge(invocation, settings, judge_model, judge_url)
    if preference and (judge is None or no_judge):
        raise UsageError(
            "Nobody can prefer an answer.", "No judge is set.", "Name one: --judge-model MODEL --judge-url URL"
        )
    temperature = settings.serving_temperature if temperature is None else temperature
    options = EvaluateOptions(
        run_id=run.id,
        split=split,
        temperature=temperature,
        samples=usual_samples(temperature) if samples is None else samples,
        max_answer_tokens=max_answer_tokens,
        limit=limit,
        seed=seed,
        batch_rows=batch_rows,
        teacher=settings.other_teacher,
        arms=arms,
        regressions=regressions,
        judge=None if no_judge else judge,
        preference=preference,
        max_cost_usd=max_cost_usd,
    )
    find_arms(project, arms, run)  # what is not there is refused before a job starts
    require_prices(options)
    if start_and_follow(invocation, options, detach=detach) is not None:
        invocation.finish(brief_text(project), report_json(project))

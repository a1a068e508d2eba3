"""`distill-tui evaluate`: the sixth station. Starts the job that measures the arms on held-out questions."""

import click

from engine.cli.asking_options import limit_option, temperature_option
from engine.cli.following import start_and_follow
from engine.cli.invocation import Invocation, Number, command_options, detach_option
from engine.cli.judge import check_judge, chosen_judge, judge_options
from engine.cli.made import finish
from engine.records.options import EvaluateOptions, usual_samples
from engine.records.question import SPLITS, Split


@click.command("evaluate")
@click.option("--run", "run_id", type=int, default=None, help="Number of the run; defaults to the last trained one.")
@click.option("--split", type=click.Choice(SPLITS), default="test", help="Split whose questions are asked.")
@click.option(
    "--samples",
    type=click.IntRange(1, 64),
    default=None,
    help="Answers per question and arm; defaults to 3, or 1 at temperature 0.",
)
@temperature_option
@click.option(
    "--max-answer-tokens",
    type=click.IntRange(1),
    default=256,
    help="Maximum length of an answer, in tokens; longer answers are cut off.",
)
@limit_option
@click.option("--seed", type=int, default=0, help="Random seed.")
@click.option(
    "--batch-rows", type=click.IntRange(1, 1024), default=128, help="Answers that a local model decodes together."
)
@click.option(
    "--arm",
    "arms",
    multiple=True,
    metavar="ARM",
    help="Additional arm to measure: run:3, checkpoint:3:120 or prompt_back. Repeatable.",
)
@click.option(
    "--regressions/--no-regressions",
    default=True,
    help="Also test for side effects: general questions, requests for the prompt, and orders to break its rules.",
)
@judge_options
@click.option(
    "--preference", is_flag=True, help="Also have the judge compare the student's answers with the reference's."
)
@click.option(
    "--max-cost",
    "max_cost_usd",
    type=Number(0.0),
    default=None,
    help="Stop before teacher and judge cost more than this many USD.",
)
@click.option("--no-judge", is_flag=True, help="Do not measure rubric rules this time.")
@detach_option
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

    Regressions take one short answer each: 54 general questions, compared with the base's own answers (KL, and built-in
    checks); a dozen requests for the prompt, which the student must not recite; and up to 20 held-out questions that
    end with an order to break the rules. The report shows them, but they do not affect the verdict. To test the student
    with the prompt put back, add --arm prompt_back.

    A judge decides on rubric rules, with one request per answer and rubric at temperature 0. Its API key is looked up
    like a teacher's (see `distill-tui keys`). A reply that cannot be read counts neither as a pass nor as a failure,
    and is reported. Choose a judge from another model family than the teacher, because models prefer answers that
    resemble their own.

    With --preference, the judge also says which answer is better, the student's or the reference's: two requests per
    question, one for each order, and a tie if they disagree. The win rate is reported both as measured and at equal
    lengths, along with how often the judge agrees with your own votes in the chat.

    When --max-cost is reached, the answers so far are kept. Evaluate again with a higher limit, and nothing is asked
    twice.
    """
    from engine.errors import NotFoundError, UsageError
    from engine.evaluation.plan import make_plan
    from engine.teachers.ledger import require_prices

    project = invocation.project
    run = project.runs.latest_trained() if run_id is None else project.runs.get(run_id)
    if run is None:
        raise NotFoundError("There is no run to evaluate.", "", "Train one: distill-tui train")
    settings = project.settings.read()
    judge = chosen_judge(invocation, settings, judge_model, judge_url)
    if preference and (judge is None or no_judge):
        raise UsageError(
            "--preference needs a judge.", "No judge is set.", "Set one: --judge-model MODEL --judge-url URL"
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
    make_plan(project, options)  # a missing adapter, arm or question is refused before a job starts
    require_prices(project, options.max_cost_usd, options.teacher, options.judge)
    if not no_judge:
        check_judge(invocation)
    job = start_and_follow(invocation, options, detach=detach)
    if job is not None:
        finish(invocation, job)

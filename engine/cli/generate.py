"""`distill-tui generate`: the third station. Starts the job in which the teacher answers the questions."""

import click

from engine.cli.asking_options import limit_option, temperature_option
from engine.cli.following import start_and_follow
from engine.cli.invocation import Invocation, Number, command_options, detach_option
from engine.cli.made import finish
from engine.cli.teacher import chosen_teacher, say_unfilled, teacher_options, teacher_seed_option
from engine.records.options import GenerateOptions, TeacherSpec
from engine.records.question import SPLITS, Split


@click.command("generate")
@teacher_options
@click.option("--samples", type=click.IntRange(1, 64), default=1, help="Number of answers per question.")
@temperature_option
@click.option(
    "--split",
    "splits",
    type=click.Choice(SPLITS),
    multiple=True,
    default=("train", "validation"),
    help="Split whose questions are asked. Repeatable.",
)
@click.option(
    "--max-answer-tokens",
    type=click.IntRange(1),
    default=512,
    help="Maximum length of an answer, in tokens; longer answers are cut off and never used for training.",
)
@limit_option
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1024),
    default=16,
    help="Maximum number of simultaneous requests to an endpoint.",
)
@click.option(
    "--batch-rows", type=click.IntRange(1, 1024), default=128, help="Answers that a local teacher decodes together."
)
@click.option(
    "--max-cost",
    "max_cost_usd",
    type=Number(0.0),
    default=None,
    help="Stop before the job costs more than this many USD.",
)
@click.option(
    "--until-accepted", is_flag=True, help="Stop asking a question once one of its answers passes every rule."
)
@click.option(
    "--question",
    "question_ids",
    type=int,
    multiple=True,
    metavar="ID",
    help="Ask only this question, for --samples more answers. Repeatable.",
)
@click.option("--key-env", default=None, metavar="NAME", help="Environment variable that holds the endpoint's API key.")
@teacher_seed_option
@detach_option
@command_options
def command(
    invocation: Invocation,
    base_url: str | None,
    model: str | None,
    samples: int,
    temperature: float | None,
    splits: tuple[Split, ...],
    max_answer_tokens: int,
    limit: int | None,
    concurrency: int,
    batch_rows: int,
    max_cost_usd: float | None,
    until_accepted: bool,
    question_ids: tuple[int, ...],
    key_env: str | None,
    seed: int,
    detach: bool,
) -> None:
    """Have the teacher answer the questions, with the prompt.

    Answers that are stored already are not asked for again."""
    from engine.teachers.job import questions_of
    from engine.teachers.ledger import require_prices

    teacher = chosen_teacher(invocation, base_url, model)
    if key_env is not None:
        from engine.teachers.keys import bind_variable

        bind_variable(teacher.base_url, key_env)
    options = GenerateOptions(
        teacher=teacher,
        splits=splits,
        samples=samples,
        temperature=invocation.project.settings.read().serving_temperature if temperature is None else temperature,
        max_answer_tokens=max_answer_tokens,
        limit=limit,
        seed=seed,
        concurrency=concurrency,
        batch_rows=batch_rows,
        max_cost_usd=max_cost_usd,
        stop_when_accepted=until_accepted,
        asks=_asks(invocation, teacher, question_ids, samples),
    )
    prompt = invocation.project.prompts.require()
    questions_of(invocation.project, options)  # missing questions are reported before a job starts
    require_prices(invocation.project, max_cost_usd, teacher)
    say_unfilled(invocation, prompt)
    job = start_and_follow(invocation, options, detach=detach)
    if job is not None:
        finish(invocation, job)


def _asks(
    invocation: Invocation, teacher: TeacherSpec, question_ids: tuple[int, ...], samples: int
) -> tuple[tuple[int, int], ...]:
    from engine.teachers.next_attempts import next_asks

    known = [invocation.project.questions.get(question_id).id for question_id in question_ids]
    return next_asks(invocation.project, teacher, known, samples)

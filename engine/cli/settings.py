"""`distill-tui settings`: shows which models a project uses, what they cost and how it will be served; changes them."""

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import click

from engine.cli.invocation import Invocation, Number, command_options
from engine.cli.judge import check_judge, judge_named, judge_options
from engine.cli.new import teacher_spec
from engine.errors import UsageError
from engine.paths import model_name
from engine.records.cost import EndpointPrices
from engine.records.options import ProjectSettings, TeacherSpec

F = TypeVar("F", bound=Callable[..., object])
PriceWords = tuple[float, float, float]


def _price_option(whose: str) -> Callable[[F], F]:
    return click.option(
        f"--{whose}-usd-per-mtok",
        type=(Number(0.0), Number(0.0), Number(0.0)),
        default=None,
        metavar="INPUT CACHED OUTPUT",
        help=f"USD per million input, cached input and output tokens of the {whose}, in place of its list prices.",
    )


@click.command("settings")
@click.option("--base", default=None, help="Base model of the student: `starter`, a local folder, or a hub name.")
@click.option(
    "--temperature",
    type=Number(0.0, 2.0),
    default=None,
    help="Sampling temperature at which the student will be served.",
)
@click.option(
    "--teacher",
    "teacher_model",
    default=None,
    metavar="MODEL",
    help="Model name of the teacher: at the endpoint that is set, unless --base-url or --local is given.",
)
@click.option("--base-url", default=None, help="URL of an OpenAI-compatible endpoint that serves the teacher.")
@click.option(
    "--local", is_flag=True, help="The teacher runs on this machine; without --teacher, it is the student's base."
)
@judge_options
@click.option("--no-judge", is_flag=True, help="Rubric rules are no longer judged.")
@_price_option("teacher")
@_price_option("judge")
@click.option("--list-prices", is_flag=True, help="Forget all prices that were given; list prices count again.")
@command_options
def command(
    invocation: Invocation,
    base: str | None,
    temperature: float | None,
    teacher_model: str | None,
    base_url: str | None,
    local: bool,
    judge_model: str | None,
    judge_url: str | None,
    no_judge: bool,
    teacher_usd_per_mtok: PriceWords | None,
    judge_usd_per_mtok: PriceWords | None,
    list_prices: bool,
) -> None:
    """Show or change the project's student, teacher, judge, prices and serving temperature.

    What was made with earlier settings is kept. `status` shows what no longer matches them. Give prices for endpoints
    that the price list lacks, or that bill you at other prices: budgets (--max-cost), estimates and recorded costs use
    them from then on. They belong to a model at an address, and are kept while another one is set.
    """
    _exclude(local and base_url is not None, "--local", "--base-url")
    _exclude(no_judge and (judge_model or judge_url) is not None, "--no-judge", "--judge-model and --judge-url")
    priced = (teacher_usd_per_mtok or judge_usd_per_mtok) is not None
    _exclude(list_prices and priced, "--list-prices", "--teacher-usd-per-mtok and --judge-usd-per-mtok")
    before = invocation.project.settings.read()
    student = before.student_base if base is None else model_name(base)
    settings = ProjectSettings(
        student_base=student,
        serving_temperature=before.serving_temperature if temperature is None else temperature,
        teacher=_teacher(before, student, teacher_model, base_url, local=local),
        judge=None if no_judge else judge_named(before, judge_model, judge_url),
        prices=() if list_prices else before.prices,
    )
    settings = _priced(settings, settings.teacher, "teacher", teacher_usd_per_mtok)
    settings = _priced(settings, settings.judge, "judge", judge_usd_per_mtok)
    if settings != before:
        invocation.project.settings.write(settings)
    check_judge(invocation)
    rows = [
        ("student", settings.student_base),
        ("teacher", settings.teacher.name),
        ("judge", "none" if settings.judge is None else settings.judge.name),
        ("temperature", f"{settings.serving_temperature:g}"),
        *(("prices", _prices_text(each)) for each in settings.prices),
    ]
    invocation.finish("\n".join(f"{name:<12} {value}" for name, value in rows), dataclasses.asdict(settings))


def _teacher(
    before: ProjectSettings, student: str, model: str | None, base_url: str | None, *, local: bool
) -> TeacherSpec:
    """Return the teacher that the options name. One that was the student's base stays the student's base."""
    teacher = before.teacher
    if local:
        return teacher_spec(student, model, None)
    if model is None and base_url is None:
        return TeacherSpec("local", student) if before.other_teacher is None else teacher
    at_endpoint = teacher.kind == "endpoint"
    known = teacher.model if at_endpoint else None
    return teacher_spec(student, model or known, base_url or (teacher.base_url if at_endpoint else None))


def _priced(
    settings: ProjectSettings, spec: TeacherSpec | None, whose: str, words: PriceWords | None
) -> ProjectSettings:
    """Return the settings with these prices for the model. Raises UsageError if nobody is paid for it."""
    if words is None:
        return settings
    if spec is None or spec.kind != "endpoint":
        what = "There is none." if spec is None else f"{spec.name} runs on this machine."
        raise UsageError(f"The {whose} has no price.", what, "Set an endpoint first, or leave the prices out.")
    from engine.economics.prices import with_own_prices

    return dataclasses.replace(settings, prices=with_own_prices(settings.prices, spec.model, spec.base_url, words))


def _prices_text(prices: EndpointPrices) -> str:
    each = (prices.input_usd_per_mtok, prices.cached_input_usd_per_mtok, prices.output_usd_per_mtok)
    figures = "{:g} input, {:g} cached input, {:g} output".format(*each)
    return f"{prices.model} @ {prices.base_url}: {figures}, in USD per million tokens"


def _exclude(both: bool, one: str, other: str) -> None:
    if both:
        raise UsageError(f"{one} excludes {other}.", "", "Pass only one of them.")

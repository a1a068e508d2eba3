"""The settings of a new evaluation and its estimate, in words. Pure; knows no widget."""

from collections.abc import Mapping, Sequence
from typing import cast

from engine.clean import clean_line
from engine.errors import UsageError
from engine.evaluation.extra_arms import check_arms
from engine.evaluation.outlook import EvaluationEstimate, estimate_evaluation
from engine.evaluation.verdict import MIN_QUESTIONS
from engine.records.options import EvaluateOptions, SynthesizeOptions, usual_samples
from engine.records.question import Split
from engine.wording import counted
from tui.forms.checks import number, or_empty, whole
from tui.forms.screen import Field, Values
from tui.forms.teacher import teacher_of
from tui.keys import key_in_sentence, key_of
from tui.services.evaluation import EvaluationBasis
from tui.widgets.lines import duration

_SPLITS: tuple[Split, ...] = ("test", "validation")
_RUNS_OFFERED = 8
_YES, _NO = "yes", "no"
_SAMPLES, _TEMPERATURE, _LIMIT = whole(1, 64), number(0.0, 2.0), or_empty(whole(1, 10**6))


def fields(basis: EvaluationBasis) -> tuple[Field, ...]:
    """The fields of the form for a new evaluation; `basis` must have at least one run."""
    runs = tuple(str(run.id) for run in basis.runs[:_RUNS_OFFERED])
    temperature = basis.settings.serving_temperature
    return (
        Field("run", "run", runs[0], choices=runs),
        Field("split", "questions", _SPLITS[0], choices=_SPLITS),
        Field("samples", "samples per question", str(usual_samples(temperature)), check=_SAMPLES),
        Field("temperature", "temperature", f"{temperature:g}", check=_TEMPERATURE),
        Field("limit", "maximum questions", "", hint="all questions", check=_LIMIT),
        Field("arms", "more arms", "", hint="run:3  checkpoint:3:120  prompt_back", check=arms_named),
        Field("regressions", "what else changed", _YES, choices=(_YES, _NO)),
    )


def options_of(values: Mapping[str, str], basis: EvaluationBasis) -> EvaluateOptions:
    """The evaluation that these values describe."""
    return EvaluateOptions(
        run_id=int(values["run"]),
        split=cast(Split, values["split"]),
        temperature=float(values["temperature"]),
        samples=int(values["samples"]),
        limit=int(values["limit"]) if values["limit"] else None,
        teacher=basis.settings.other_teacher,
        arms=tuple(values.get("arms", "").split()),
        regressions=values.get("regressions", _YES) == _YES,
        judge=basis.settings.judge,
    )


def outlook(values: Mapping[str, str], basis: EvaluationBasis) -> str:
    """The estimate for an evaluation with these values, one line per quantity."""
    options = options_of(values, basis)
    asked = basis.questions.get(options.split, 0)
    estimate = estimate_evaluation(options, asked, basis.evaluations, rubrics=basis.rubrics)
    lines = _answers(options, estimate)
    if estimate.seconds is None or estimate.like is None:
        lines.append("time  unknown: there is no earlier evaluation")
    else:
        lines.append(f"time  ≈ {duration(estimate.seconds)}, at the speed measured for run {estimate.like.run_id}")
    if options.teacher is not None:
        lines.append("the teacher is not the base model, so it is a separate arm")
    if options.judge is not None:
        lines.append(f"{clean_line(options.judge.name)} judges the rubrics, which may cost money")
    elif basis.rubrics:
        unjudged = counted(basis.rubrics, "rubric")
        lines.append(
            f"without a judge, {unjudged} cannot be measured; {key_in_sentence('workspace.settings')} sets one"
        )
    if 0 < estimate.questions < MIN_QUESTIONS:
        lines.append(f"fewer than {MIN_QUESTIONS} questions cannot decide anything")
    return "\n".join(lines)


def _answers(options: EvaluateOptions, estimate: EvaluationEstimate) -> list[str]:
    """How many answers are requested, and what else the job counts: its figures are what the user sees later."""
    units = estimate.units
    asked = f"{estimate.questions:,} {options.split} questions × {options.samples}"
    lines = [f"{units.answers:,} answers: {estimate.arms} arms × {asked}"]
    if units.probes:
        lines.append(f"and {units.probes:,} to check what else changed")
    judged = f", {units.verdicts:,} judged" if units.verdicts else ""
    beside = f"{units.readings:,} are re-read for divergence, {units.timed:,} timed{judged}"
    lines.append(f"the job counts {units.total:,}: {beside}")
    return lines


def improvement_fields(failed: Sequence[int]) -> tuple[Field, ...]:
    """How many of the failed questions to improve on, and how many training questions to write for each."""
    most = len(failed)
    return (
        Field("failed", f"worst of {counted(most, 'failed question')}", str(min(most, 20)), check=whole(1, most)),
        Field("per_question", "questions for each", "5", check=whole(1, 50)),
    )


def improvement(failed: Sequence[int], values: Values) -> SynthesizeOptions:
    """The options that the form describes."""
    chosen = tuple(failed[: int(values["failed"])])
    return SynthesizeOptions(teacher_of(values), per_topic=int(values["per_question"]), like=chosen)


def arms_named(text: str) -> str:
    """What is wrong with the names of extra arms, or an empty string."""
    try:
        check_arms(text.split())
    except UsageError as error:
        return str(error)
    return ""


def nothing_to_ask(values: Mapping[str, str], basis: EvaluationBasis) -> str:
    """What is wrong with the values together, or an empty string."""
    split = cast(Split, values["split"])
    missing = f"There are no {split} questions. Go to Questions ({key_of('workspace.questions')}) to add some."
    return "" if basis.questions.get(split) else missing

"""The form of the examples pane: how a teacher should answer. Checks what is typed; calculates nothing."""

from collections.abc import Mapping

from engine.clean import clean_line
from engine.records.options import GenerateOptions
from engine.records.question import Split
from engine.wording import counted
from tui.forms.checks import number, or_empty, whole
from tui.forms.screen import Field, Values
from tui.forms.teacher import ENDPOINT, key_text, key_trouble, money_text, teacher_of
from tui.keys import key_of
from tui.services.generation import GenerationOutlook
from tui.widgets.lines import duration

SPLITS_OF: Mapping[str, tuple[Split, ...]] = {
    "train + validation": ("train", "validation"),
    "train": ("train",),
    "validation": ("validation",),
}
# The same limits as on the command line.
_SAMPLES, _AT_ONCE, _COUNT, _TEMPERATURE = whole(1, 64), whole(1, 1024), whole(1), number(0.0, 2.0)
_BUDGET = or_empty(number(0.0))


def answer_fields(before: GenerateOptions) -> tuple[Field, ...]:
    """Return the fields for how a teacher should answer, besides those that choose it."""
    splits = next((name for name, names in SPLITS_OF.items() if names == before.splits), "")
    at_once = before.concurrency if before.teacher.kind == "endpoint" else before.batch_rows
    return (
        Field("splits", "questions from", splits, choices=tuple(SPLITS_OF)),
        Field("samples", "answers per question", str(before.samples), check=_SAMPLES),
        Field("temperature", "temperature", f"{before.temperature:g}", check=_TEMPERATURE),
        Field("tokens", "max tokens per answer", str(before.max_answer_tokens), check=_COUNT),
        Field("limit", "maximum questions", _or_empty(before.limit), "empty: all of them", check=or_empty(_COUNT)),
        Field("at_once", "parallel answers", str(at_once), "requests in flight, or rows decoded together",
              check=_AT_ONCE),
        Field("budget", "budget, US dollars", _or_empty(before.max_cost_usd), "empty: no limit; endpoints only",
              check=_BUDGET),
    )  # fmt: skip


def wanted(values: Values, before: GenerateOptions) -> GenerateOptions:
    """Return the options that the form describes."""
    teacher = teacher_of(values)
    at_once = int(values["at_once"])
    local = teacher.kind == "local"
    return GenerateOptions(
        teacher=teacher,
        splits=SPLITS_OF[values["splits"]],
        samples=int(values["samples"]),
        temperature=float(values["temperature"]),
        max_answer_tokens=int(values["tokens"]),
        limit=int(values["limit"]) if values["limit"] else None,
        seed=before.seed,
        concurrency=before.concurrency if local else at_once,
        batch_rows=at_once if local else before.batch_rows,
        max_cost_usd=float(values["budget"]) if values["budget"] and not local else None,
        stop_when_accepted=before.stop_when_accepted,
    )


def outlook_text(outlook: GenerationOutlook, values: Values) -> str:
    """Return the estimate in sentences."""
    if not outlook.questions:
        keys = f"{key_of('workspace.questions')} Questions, then {key_of('questions.split')}"
        unsplit = f" {outlook.unsplit:,} questions are in no split yet: {keys}." if outlook.unsplit else ""
        return f"There are no questions to answer.{unsplit}"
    if not outlook.left:
        return f"All {outlook.answers:,} answers are already stored. Raise the answers per question to get more."
    stored = f", {outlook.stored:,} already stored: {outlook.left:,} to ask" if outlook.stored else ""
    time = (
        f"≈ {duration(outlook.seconds)} at the pace of {outlook.pace}"
        if outlook.seconds is not None
        else "time not measured yet"
    )
    each = outlook.answer_tokens
    answered = f"≈ {each.value * outlook.left:,.0f} generated ({each.value:,.0f} each, {each.origin})"
    lines = [
        f"{counted(outlook.questions, 'question')}, {counted(outlook.answers, 'answer')}{stored}; {time}.",
        f"Tokens: ≈ {outlook.prompt_tokens:,} sent, {answered}.",
        money_text(outlook.money),
        key_text(outlook.key, values),
    ]
    return "\n".join(line for line in lines if line)


def outlook_trouble(outlook: GenerationOutlook, values: Values) -> str:
    """Return why it cannot start like this, or an empty text."""
    if not outlook.left:
        return "There is nothing left to ask."
    if values["teacher"] == ENDPOINT and values["budget"] and outlook.money.usd is None:
        return f"No price is known for {clean_line(values['model'])}, so a budget cannot be enforced: leave it empty."
    return key_trouble(outlook.key, values)


def _or_empty(value: float | None) -> str:
    return "" if value is None else f"{value:g}"

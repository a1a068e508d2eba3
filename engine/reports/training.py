"""The training as sections: its curves, answers over time, and the tokens that still differ. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from engine.jobs.protocol import SampleAnswer
from engine.records.run import CurvePoint, Run, measure_of
from engine.reports.document import (
    Answer,
    Block,
    Chart,
    Charts,
    Column,
    Mark,
    QuestionAnswers,
    Role,
    Row,
    Section,
    Series,
    Table,
    Words,
)
from engine.reports.facts import ReportFacts
from engine.reports.numbers import MISSING, nats, share
from engine.reports.token_text import end_of, token_word
from engine.wording import counted, duration

_POINTS = 300  # per line; a longer one is averaged
_ROWS = 12
_WATCHED = 2
_STEPS_SHOWN = 5
_TOKENS_SHOWN = 8
Item = TypeVar("Item")
Line = tuple[tuple[float, ...], tuple[float, ...]]


def curves(facts: ReportFacts) -> Section:
    """Loss, divergence and pass rates over the steps, with the compared run overlaid."""
    run = facts.proof.run
    where = " ".join(part for part in (run.device, run.dtype) if part)
    summary = f"{counted(run.step, 'step')} in {duration(run.train_s)}{f' on {where}' if where else ''}"
    words = f"Run {run.id}: {summary}; the best step is {run.best_step:,}."
    if not run.curve:
        return Section("training", "Training", (Words(words), Words("No evaluation was kept.", "quiet")))
    measure = measure_of(run, facts.other.run if facts.other is not None else None)
    named = f"{measure[0].upper()}{measure[1:]}, nats per token"
    best = (Mark(run.best_step, f"best: {run.best_step:,}"),) if run.best_step else ()
    charts = (
        Chart(named, "step", _validated(facts, lambda point: point.validation_kl), marks=best),
        Chart(
            "Validation answers that pass every rule",
            "step",
            _validated(facts, lambda point: point.all_rules_rate),
            unit="share",
            marks=best,
        ),
        Chart("Training loss", "step", tuple(_losses(facts))),
    )
    return Section("training", "Training", (Words(words), Charts(charts, _table(run)), *_rule_rates(facts)))


def training_samples(facts: ReportFacts) -> Section | None:
    """The student's answers to the watched questions, step by step."""
    if not facts.trace.samples:
        return None
    by_question: dict[str, list[SampleAnswer]] = {}
    for sample in facts.trace.samples:
        by_question.setdefault(sample.question, []).append(sample)
    exchanges = [
        QuestionAnswers(
            question,
            "",
            tuple(
                Answer(f"step {sample.step:,}", sample.answer, sample.passed, "main")
                for sample in _first_to_last(sorted(samples, key=lambda sample: sample.step), _STEPS_SHOWN)
            ),
            beside=False,
        )
        for question, samples in list(by_question.items())[:_WATCHED]
    ]
    words = (
        "The student's answers to the same questions over the course of training. The student never sees the prompt."
    )
    return Section("samples", "Answers during training", (Words(words), *exchanges))


def differing(facts: ReportFacts) -> Section | None:
    """The validation tokens at which student and teacher differ most at the last evaluation of the run."""
    worst = facts.trace.worst
    if worst is None or not worst.tokens:
        return None
    rows = tuple(
        Row(
            (
                end_of(token.before),
                token_word(token.token),
                token_word(token.teacher),
                token_word(token.student),
                f"{token.kl:.2f}",
            )
        )
        for token in worst.tokens[:_TOKENS_SHOWN]
    )
    columns = (
        Column("answer, up to the token"),
        Column("token"),
        Column("teacher"),
        Column("student"),
        Column("nats", number=True),
    )
    table = Table(f"Validation tokens at step {worst.step:,}", columns, rows, code=True)
    return Section("tokens", "Where student and teacher differ most", (table,))


def _validated(facts: ReportFacts, value: Callable[[CurvePoint], float | None]) -> tuple[Series, ...]:
    """A value at every evaluation that has it, of the run and of the one that it is compared with."""
    found: list[Series] = []
    for run, role in _runs(facts):
        points = [(float(point.step), y) for point in run.curve if (y := value(point)) is not None]
        if points:
            xs, ys = zip(*points, strict=True)
            found.append(Series(f"run {run.id}", xs, ys, role))
    return tuple(found)


def _runs(facts: ReportFacts) -> Iterator[tuple[Run, Role]]:
    yield facts.proof.run, "main"
    if facts.other is not None:
        yield facts.other.run, "second"


def _losses(facts: ReportFacts) -> Iterator[Series]:
    """The loss of every step if the log exists, otherwise its mean at every evaluation."""
    traced = {facts.proof.run.id: facts.trace.losses}
    if facts.other is not None:
        traced[facts.other.run.id] = facts.other.losses
    for run, role in _runs(facts):
        points = traced[run.id] or tuple((point.step, point.train_loss) for point in run.curve)
        if points:
            yield Series(f"run {run.id}", *_thinned(points), role)


def _thinned(points: Sequence[tuple[int, float]]) -> Line:
    """At most `_POINTS` points; if there are more, each is the mean of its neighbours."""
    size = -(-len(points) // _POINTS)
    pieces = [points[start : start + size] for start in range(0, len(points), size)]
    xs = tuple(sum(x for x, _ in piece) / len(piece) for piece in pieces)
    return xs, tuple(sum(y for _, y in piece) / len(piece) for piece in pieces)


def _table(run: Run) -> Table:
    columns = ("step", "epoch", "training loss", measure_of(run), "every rule", "learning rate", "tok/s")
    return Table(
        f"Run {run.id}, at each evaluation",
        tuple(Column(name, number=True) for name in columns),
        tuple(
            Row(
                (
                    f"{point.step:,}",
                    f"{point.epoch:.2f}",
                    nats(point.train_loss),
                    nats(point.validation_kl),
                    MISSING if point.all_rules_rate is None else share(point.all_rules_rate),
                    f"{point.learning_rate:.1e}",
                    f"{point.tokens_per_second:,.0f}",
                ),
                strong=point.step == run.best_step,
            )
            for point in _first_to_last(run.curve, _ROWS)
        ),
    )


def _rule_rates(facts: ReportFacts) -> Iterator[Block]:
    """Each rule on the validation answers, from the first evaluation to the last."""
    points = _first_to_last([point for point in facts.proof.run.curve if point.rule_rates], _STEPS_SHOWN)
    if not points:
        return
    texts = {rule.id: rule.text for rule in facts.rules}
    numbers = [number for number, _ in points[0].rule_rates]
    rates = [dict(point.rule_rates) for point in points]
    yield Table(
        "Each rule on validation answers, by step",
        (Column("rule"), *(Column(f"step {point.step:,}", number=True) for point in points)),
        tuple(
            Row(
                (
                    f"{number}\u2002{texts.get(number, '')}",
                    *(share(rate[number]) if number in rate else MISSING for rate in rates),
                )
            )
            for number in numbers
        ),
    )


def _first_to_last(items: Sequence[Item], count: int) -> tuple[Item, ...]:
    """At most `count` of the items, evenly spaced from the first to the last."""
    if len(items) <= count:
        return tuple(items)
    return tuple(items[round(place * (len(items) - 1) / (count - 1))] for place in range(count))

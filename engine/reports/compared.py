"""Two runs beside each other as a section: how they were trained, what came of it, rule by rule. Pure."""

import dataclasses
from collections.abc import Mapping

from engine.evaluation.answers import Answered
from engine.evaluation.statistics import mean_by_question
from engine.records.evaluation import ArmScore, Evaluation
from engine.records.run import Run
from engine.reports.document import Block, Column, IntervalRow, Intervals, Row, Section, Table, Words
from engine.reports.facts import OtherRun, ReportFacts
from engine.reports.numbers import MISSING, change, interval, known, nats, of_rate, points
from engine.wording import duration, size

EVERY_RULE = 0  # stands for a rule's number where all of them are meant


def compared(facts: ReportFacts) -> Section | None:
    """The run of the report against another one; None where there is none."""
    other = facts.other
    if other is None:
        return None
    run = facts.proof.run
    blocks: list[Block] = [_configurations(facts, other), _outcomes(facts, other)]
    if other.evaluation is None:
        blocks.append(Words(f"Run {other.run.id} has not been evaluated: distill-tui evaluate --run {other.run.id}"))
    else:
        blocks += _rules(facts, other, other.evaluation)
    return Section("compared", f"Run {run.id} and run {other.run.id}", tuple(blocks))


def _configurations(facts: ReportFacts, other: OtherRun) -> Table:
    run, its = facts.proof.run, other.run
    names = [field.name for field in dataclasses.fields(run.config)]
    pairs = [(said(name), value(getattr(run.config, name)), value(getattr(its.config, name))) for name in names]
    pairs.append(("dataset", run.dataset_sha256[:12], its.dataset_sha256[:12]))
    if other.evaluation is not None:
        pairs.append(("prompt", facts.proof.evaluation.prompt_sha256[:12], other.evaluation.prompt_sha256[:12]))
    rows = [Row(pair) for pair in pairs if pair[1] != pair[2]]
    caption = "Where their configurations differ" if rows else "Their configurations are the same"
    columns = (Column("setting"), *(Column(name, number=True) for name in _names(facts, other)))
    return Table(caption, columns, tuple(rows))


def _outcomes(facts: ReportFacts, other: OtherRun) -> Table:
    run = facts.proof.run
    mine, its = facts.proof.evaluation, other.evaluation
    rows = []
    for name, first, second in zip(
        ("best step", "validation KL at the end", "time to train", "most memory"),
        _trained(run),
        _trained(other.run),
        strict=True,
    ):
        rows.append(Row((name, first, second, "")))
    for name, figures in _measured(mine, its).items():
        rows.append(Row((name, *figures)))
    columns = (Column("outcome"), *(Column(name, number=True) for name in _names(facts, other)))
    return Table("What came of them", (*columns, Column("difference", number=True)), tuple(rows))


def _trained(run: Run) -> tuple[str, ...]:
    return (
        f"{run.best_step:,}",
        nats(run.curve[-1].validation_kl) if run.curve else MISSING,
        duration(run.train_s),
        size(run.peak_rss_mb) if run.peak_rss_mb else MISSING,
    )


def _measured(mine: Evaluation, its: Evaluation | None) -> Mapping[str, tuple[str, str, str]]:
    """Figures of the two evaluations, with the difference where both have them."""

    def kept(evaluation: Evaluation | None) -> str:
        return MISSING if evaluation is None or evaluation.recovered is None else interval(evaluation.recovered)

    students = [None if evaluation is None else evaluation.arm("distilled") for evaluation in (mine, its)]
    divergences = [None if student is None else student.kl_to_prompted for student in students]
    tokens = [0.0 if student is None else student.completion_tokens_mean for student in students]
    kls = [MISSING if divergence is None else nats(divergence.mean) for divergence in divergences]
    first, second = divergences
    return {
        "verdict": (mine.verdict, MISSING if its is None else its.verdict, ""),
        "recovered of the gain": (kept(mine), kept(its), ""),
        "KL to prompted, nats/token": (
            kls[0], kls[1], "" if first is None or second is None else change(first.mean, second.mean, 3)
        ),
        "answer tokens": (
            known(tokens[0], 1), known(tokens[1], 1), change(tokens[0], tokens[1], 1) if all(tokens) else ""
        ),
    }  # fmt: skip


def _rules(facts: ReportFacts, other: OtherRun, its: Evaluation) -> list[Block]:
    """The students rule by rule. Rules are the same where their texts are: a project's rules can change between."""
    mine = facts.proof.evaluation
    first, second = facts.proof.arm("distilled"), its.arm("distilled")
    if second is None:
        return []
    theirs = {(rule.id, rule.text): rule for rule in second.rules}
    differences = _differences(facts.answered, other.answered)
    rows = []
    for rule in first.rules:
        same = theirs.get((rule.id, rule.text))
        rows.append(
            IntervalRow(
                f"{rule.id}\u2002{rule.text}",
                (of_rate(rule.rate), None if same is None else of_rate(same.rate)),
                aside=differences.get(rule.id, MISSING) if same is not None else MISSING,
            )
        )
    if len(theirs) == len(first.rules) and all((rule.id, rule.text) in theirs for rule in first.rules):
        rows.append(_together(first, second, differences.get(EVERY_RULE, MISSING)))
    names = _names(facts, other)
    table = Intervals(
        "Answers of the two students that keep each rule, %",
        "rule",
        ((names[0], "main"), (names[1], "second")),
        tuple(rows),
        aside="difference, points",
    )
    words = (
        "The difference in percentage points has a 95 % interval by a paired bootstrap over the questions that both "
        "answered, within topics; each rule by itself, uncorrected."
        if differences
        else "The two were measured on different questions, or their answers were not kept: no difference is told."
    )
    if (mine.temperature, mine.samples) != (its.temperature, its.samples):
        words += (
            f" They were sampled differently: {mine.samples} at temperature {mine.temperature:g}, {its.samples} at "
            f"{its.temperature:g}."
        )
    return [table, Words(words, "quiet")]


def _together(first: ArmScore, second: ArmScore, aside: str) -> IntervalRow:
    return IntervalRow("every rule", (of_rate(first.all_rules), of_rate(second.all_rules)), strong=True, aside=aside)


def _differences(mine: Answered, its: Answered) -> dict[int, str]:
    """First less second student, by rule, over the questions that both answered; `EVERY_RULE` for all together."""
    first, second = _shares(mine), _shares(its)
    both = sorted({question for question, _ in first} & {question for question, _ in second})
    if not both:
        return {}
    topics = [mine.questions[question].topic for question in both]
    numbers = {rule for _, rule in first} & {rule for _, rule in second}
    found = {}
    for rule in numbers:
        gains = [first[question, rule] - second[question, rule] for question in both]
        found[rule] = points(mean_by_question(topics, gains, [1] * len(both)))
    return found


def _shares(answered: Answered) -> dict[tuple[int, int], float]:
    """By question and rule, the share of the student's samples that keep it."""
    kept: dict[tuple[int, int], list[bool]] = {}
    for answer in answered.answers:
        if answer.arm == "distilled":
            for check in answer.checks:
                kept.setdefault((answer.question_id, check.rule_id), []).append(check.passed)
            together = all(check.passed for check in answer.checks)
            kept.setdefault((answer.question_id, EVERY_RULE), []).append(together)
    return {place: sum(values) / len(values) for place, values in kept.items()}


def _names(facts: ReportFacts, other: OtherRun) -> tuple[str, str]:
    return f"run {facts.proof.run.id}", f"run {other.run.id}"


def said(name: str) -> str:
    """A setting's name as words."""
    return name.replace("_", " ")


def value(given: object) -> str:
    """A setting's value as words."""
    if given is None or given == ():
        return MISSING
    return f"{given:g}" if isinstance(given, float) else str(given)

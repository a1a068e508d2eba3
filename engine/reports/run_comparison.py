"""Two runs side by side, as a section: their configurations and results, rule by rule. Pure."""

import dataclasses
from collections.abc import Iterator, Mapping

from engine.evaluation.answers import Answered
from engine.evaluation.measured_json import comparison_json
from engine.evaluation.students import Student, compare_students, same_rules
from engine.records.comparison import Comparison
from engine.records.evaluation import ArmAnswer, ArmName, Evaluation
from engine.records.run import Run, measure_of
from engine.reports.arm_comparisons import LEGEND, against_section, table_of
from engine.reports.document import Block, Column, IntervalRow, Intervals, Row, Section, Table, Words
from engine.reports.facts import OtherRun, ReportFacts
from engine.reports.numbers import MISSING, change, interval, known, nats, nats_between, of_rate
from engine.wording import counted, duration, size


def run_comparison(facts: ReportFacts) -> Section | None:
    """The report's run compared with another run; None without one."""
    other = facts.other
    if other is None:
        return None
    run = facts.proof.run
    blocks: list[Block] = [_configurations(facts, other), _outcomes(facts, other)]
    pair = students(facts)
    if pair is None:
        blocks.append(Words(f"Run {other.run.id} has not been evaluated: distill-tui evaluate --run {other.run.id}"))
    else:
        blocks += _rules(facts, other, pair)
    return Section("compared", f"Run {run.id} compared with run {other.run.id}", tuple(blocks))


def _configurations(facts: ReportFacts, other: OtherRun) -> Table:
    run, its = facts.proof.run, other.run
    names = [field.name for field in dataclasses.fields(run.config)]
    pairs = [(option_name(name), value(getattr(run.config, name)), value(getattr(its.config, name))) for name in names]
    pairs.append(("dataset", run.dataset_sha256[:12], its.dataset_sha256[:12]))
    if other.evaluation is not None:
        pairs.append(("prompt", facts.proof.evaluation.prompt_sha256[:12], other.evaluation.prompt_sha256[:12]))
    rows = [Row(pair) for pair in pairs if pair[1] != pair[2]]
    caption = "Differences in configuration" if rows else "The configurations are the same"
    columns = (Column("setting"), *(Column(name, number=True) for name in _names(facts, other)))
    return Table(caption, columns, tuple(rows))


def _outcomes(facts: ReportFacts, other: OtherRun) -> Table:
    run = facts.proof.run
    mine, its = facts.proof.evaluation, other.evaluation
    rows = []
    for name, first, second in zip(
        ("best step", f"final {measure_of(run, other.run)}", "training time", "peak memory"),
        _trained(run),
        _trained(other.run),
        strict=True,
    ):
        rows.append(Row((name, first, second, "")))
    for name, figures in _measured(mine, its, students(facts)).items():
        rows.append(Row((name, *figures)))
    columns = (Column("result"), *(Column(name, number=True) for name in _names(facts, other)))
    return Table("Results", (*columns, Column("difference", number=True)), tuple(rows))


def _trained(run: Run) -> tuple[str, ...]:
    return (
        f"{run.best_step:,}",
        nats(run.curve[-1].validation_kl) if run.curve else MISSING,
        duration(run.train_s),
        size(run.peak_rss_mb) if run.peak_rss_mb else MISSING,
    )


def _measured(
    mine: Evaluation, its: Evaluation | None, pair: tuple[Student, Student] | None
) -> Mapping[str, tuple[str, str, str]]:
    """Figures of the two evaluations and students, with the difference if both have them."""

    def kept(evaluation: Evaluation | None) -> str:
        return MISSING if evaluation is None or evaluation.recovered is None else interval(evaluation.recovered)

    scores = (mine.arm("distilled"), None) if pair is None else (pair[0].score, pair[1].score)
    divergences = [None if score is None else score.kl_to_prompted for score in scores]
    tokens = [0.0 if score is None else score.completion_tokens_mean for score in scores]
    kls = [MISSING if kl is None else f"{nats(kl.mean)} ({nats_between(kl.low, kl.high)})" for kl in divergences]
    first, second = divergences
    return {
        "verdict": (mine.verdict, MISSING if its is None else its.verdict, ""),
        "recovered gain": (kept(mine), kept(its), ""),
        "KL to prompted, nats/token": (
            kls[0], kls[1], "" if first is None or second is None else change(first.mean, second.mean, 3)
        ),
        "answer tokens": (
            known(tokens[0], 1), known(tokens[1], 1), change(tokens[0], tokens[1], 1) if all(tokens) else ""
        ),
    }  # fmt: skip


def students(facts: ReportFacts) -> tuple[Student, Student] | None:
    """The report's student and the other run's; None if the other run was not measured.

    The scores are from the report's own evaluation if the other run was an arm of it, so that both had the same
    questions, seeds and rules; otherwise from the other run's latest evaluation.
    """
    other, evaluation = facts.other, facts.proof.evaluation
    if other is None:
        return None
    names = _names(facts, other)
    arm = f"run:{other.run.id}"
    first = Student(names[0], facts.proof.arm("distilled"), _of_arm(facts.answered, "distilled"))
    if (beside := evaluation.arm(arm)) is not None:
        return first, Student(names[1], beside, _of_arm(facts.answered, arm))
    score = None if other.evaluation is None else other.evaluation.arm("distilled")
    return None if score is None else (first, Student(names[1], score, _of_arm(other.answered, "distilled")))


def compared_json(facts: ReportFacts) -> dict[str, object] | None:
    """The two students compared question by question; null if they share no question whose answers were kept."""
    pair = students(facts)
    found = None if pair is None else _comparison(facts, pair)
    return None if found is None else comparison_json(found)


def _comparison(facts: ReportFacts, pair: tuple[Student, Student]) -> Comparison | None:
    return compare_students(*pair, facts.answered.questions, facts.proof.evaluation.seed)


def _of_arm(answered: Answered, arm: ArmName) -> tuple[ArmAnswer, ...]:
    return tuple(answer for answer in answered.answers if answer.arm == arm)


def _rules(facts: ReportFacts, other: OtherRun, pair: tuple[Student, Student]) -> Iterator[Block]:
    """The students rule by rule, and question by question."""
    first, second = pair
    mine, its = facts.proof.evaluation, other.evaluation
    beside = mine.arm(f"run:{other.run.id}") is not None
    theirs = {(rule.id, rule.text): rule for rule in second.score.rules}
    rows = []
    for rule in first.score.rules:
        same = theirs.get((rule.id, rule.text))
        rows.append(
            IntervalRow(
                f"{rule.id}\u2002{rule.text}", (of_rate(rule.rate), None if same is None else of_rate(same.rate))
            )
        )
    together = same_rules(first, second)
    if together:
        rates = of_rate(first.score.all_rules), of_rate(second.score.all_rules)
        rows.append(IntervalRow("every rule", rates, strong=True))
    yield Intervals(
        "Answers of the two students that pass each rule, %",
        "rule",
        ((first.name, "main"), (second.name, "second")),
        tuple(rows),
    )
    if beside:
        yield Words("Both answered the same questions with the same seeds, checked against the same rules.", "quiet")
    elif its is not None and (mine.temperature, mine.samples) != (its.temperature, its.samples):
        yield Words(
            f"They were sampled differently: {counted(mine.samples, 'sample')} at temperature {mine.temperature:g}, "
            f"and {its.samples} at {its.temperature:g}.",
            "quiet",
        )
    found = _comparison(facts, pair)
    if found is None:
        yield Words(
            "They share no question whose answers were kept, or no rule, so they cannot be compared.",
            "quiet",
        )
    else:
        yield table_of(found, {rule.id: rule.text for rule in first.score.rules}, together=together)
        if against_section(facts) is None:  # otherwise that section explains the columns
            yield Words(LEGEND, "quiet")


def _names(facts: ReportFacts, other: OtherRun) -> tuple[str, str]:
    return f"run {facts.proof.run.id}", f"run {other.run.id}"


def option_name(name: str) -> str:
    """A setting's name as plain text."""
    return name.replace("_", " ")


def value(given: object) -> str:
    """A setting's value as plain text."""
    if given is None or given == ():
        return MISSING
    return f"{given:g}" if isinstance(given, float) else str(given)

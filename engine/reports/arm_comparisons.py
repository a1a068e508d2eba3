"""Arms compared question by question, as tables: differences, tests, and the questions still needed. Pure."""

from collections.abc import Iterator, Mapping

from engine.evaluation.verdict import MARGIN
from engine.records.comparison import Comparison, Paired
from engine.records.evaluation import ArmName, Evaluation
from engine.reports.document import Block, Column, Row, Section, Table, Words
from engine.reports.facts import ReportFacts
from engine.reports.numbers import MISSING, p_value, points
from engine.wording import counted

LEGEND = (
    "Difference: in percentage points of the pass rate, with a paired bootstrap 95\u00a0% interval. + and −: "
    "questions where more, or fewer, samples pass the rule. p: exact McNemar test over questions, Holm-corrected over "
    "the rules. "
    f"Kept: the interval rules out a loss of more than {100 * MARGIN:.0f} points. “n more”: about that many more "
    "questions would decide, if the rates stay the same."
)


def arm_comparisons(evaluation: Evaluation, but: tuple[ArmName, ArmName] | None = None) -> Iterator[Block]:
    """Yield a table for each comparison, except those with the unprompted base and the pair `but`, then a legend of the
    columns.
    """
    pairs = [each for each in evaluation.comparisons if "unprompted" not in (each.arm, each.against)]
    shown = [each for each in pairs if (each.arm, each.against) != but]
    texts = {rule.id: rule.text for _, score in evaluation.arms for rule in score.rules}
    for each in shown:
        yield table_of(each, texts)
    if shown:
        yield Words(LEGEND, "quiet")


def table_of(comparison: Comparison, texts: Mapping[int, str], *, together: bool = True) -> Table:
    """One comparison, one row per rule; `together` adds a last row for all rules."""
    columns = ("difference", "+", "−", "p")
    return Table(
        f"{comparison.arm} compared with {comparison.against}, question by question",
        (Column("rule"), *(Column(name, number=True) for name in columns), Column("outcome", number=True)),
        tuple(_rows(comparison, texts, together=together)),
    )


def against_section(facts: ReportFacts) -> Section | None:
    """Every comparison except that with the compared run, which has its own section; None if there is none."""
    beside = None if facts.other is None else (f"run:{facts.other.run.id}", "distilled")
    blocks = tuple(arm_comparisons(facts.proof.evaluation, beside))
    return Section("against", "Arm comparisons", blocks) if blocks else None


def against_in_brief(evaluation: Evaluation) -> Iterator[Block]:
    """The result of the student's comparison with its reference, in a sentence."""
    found = evaluation.comparison("distilled", evaluation.reference)
    if found is None:
        return
    outcomes = [
        f"rule {each.id} is {_outcome_text(each.paired)}" for each in found.rules if each.paired.outcome != "kept"
    ]
    words = "; ".join(outcomes) if outcomes else "every rule is kept"
    yield Words(f"Compared with {found.against}, Holm-corrected over the rules: {words}.", "quiet")


def _rows(comparison: Comparison, texts: Mapping[int, str], *, together: bool) -> Iterator[Row]:
    for each in comparison.rules:
        yield Row((f"{each.id}\u2002{texts.get(each.id, MISSING)}", *_cells(each.paired)))
    if together:
        yield Row(("every rule", *_cells(comparison.all_rules)), strong=True)


def _cells(paired: Paired) -> tuple[str, ...]:
    counts = f"{paired.better:,}", f"{paired.worse:,}"
    return (points(paired.difference), *counts, p_value(paired.p_holm), outcome(paired))


def outcome(paired: Paired) -> str:
    """`kept`, `better`, `worse`, or how many more questions are needed."""
    if paired.outcome != "undecided":
        return paired.outcome
    return "undecided" if paired.more_questions is None else f"{paired.more_questions:,} more"


def _outcome_text(paired: Paired) -> str:
    if paired.outcome != "undecided" or paired.more_questions is None:
        return paired.outcome
    return f"undecided (about {counted(paired.more_questions, 'more question')} would decide)"

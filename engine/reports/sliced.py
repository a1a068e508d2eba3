"""The slices as a section of the report, and as the object that others read. Pure."""

from collections.abc import Sequence
from dataclasses import asdict

from engine.evaluation.slices import Slice, slices_of
from engine.reports.document import Block, IntervalRow, Intervals, Section, Words
from engine.reports.facts import ReportFacts
from engine.reports.numbers import of_rate
from engine.reports.proof import with_roles

SLICES = "slices"  # the section's name
_CAPTIONS = {
    "topic": "By topic: answers that keep every rule, %",
    "length": "By length of the question: answers that keep every rule, %",
    "source": "By where the question comes from: answers that keep every rule, %",
    "kind": "By kind of check: answers that keep all rules of the kind, %",
    "rule": "By rule: answers that keep it, %",
}


_MOST = 8  # slices of a dimension, unless all are wanted


def sliced_in_brief(facts: ReportFacts) -> Section | None:
    """The slices with the largest gaps, but those by rule, which have a section of their own; None without answers."""
    return _section(facts, [by for by in _CAPTIONS if by != "rule"], _MOST) if _slices(facts) else None


def sliced(facts: ReportFacts) -> Section:
    """A block for each dimension, the largest gap between the reference and the student first."""
    return _section(facts, list(_CAPTIONS), None)


def _section(facts: ReportFacts, dimensions: Sequence[str], most: int | None) -> Section:
    found = _slices(facts)
    evaluation = facts.proof.evaluation
    arms = with_roles(evaluation.arms)
    blocks: list[Block] = [
        Words(
            f"The largest gap between {evaluation.reference} and the student first. With many slices one looks bad by "
            "chance: a slice says where to look, and is no verdict."
            if found
            else "The answers of this evaluation were not kept."
        )
    ]
    for by in dimensions:
        rows = tuple(
            IntervalRow(f"{each.name} ({each.questions:,})", tuple(of_rate(rate) for _, rate in each.rates))
            for each in found
            if each.by == by
        )
        if len(rows) > 1:
            blocks.append(Intervals(_CAPTIONS[by], f"{by} (questions)", arms, rows[:most]))
        if len(rows) > len(rows[:most]):
            blocks.append(Words(f"The {most} with the largest gap, of {len(rows):,}; all: report --slices", "quiet"))
    return Section(SLICES, "Slices", tuple(blocks))


def slices_json(facts: ReportFacts) -> list[dict[str, object]]:
    """Every slice with the rate of each arm."""
    return [
        {
            "by": each.by,
            "name": each.name,
            "questions": each.questions,
            "arms": {name: asdict(rate) for name, rate in each.rates},
        }
        for each in _slices(facts)
    ]


def _slices(facts: ReportFacts) -> tuple[Slice, ...]:
    return slices_of(facts.proof.evaluation, facts.answered.questions, facts.answered.answers)

"""The slices as a section of the report, and as JSON. Pure."""

from collections.abc import Sequence
from dataclasses import asdict

from engine.evaluation.slices import Slice, slices_of
from engine.reports.document import Block, IntervalRow, Intervals, Section, Words
from engine.reports.facts import ReportFacts
from engine.reports.numbers import of_rate
from engine.reports.proof import with_roles

SLICES = "slices"  # the section's name
_CAPTIONS = {
    "topic": "By topic: answers that pass every rule, %",
    "length": "By question length: answers that pass every rule, %",
    "source": "By question source: answers that pass every rule, %",
    "kind": "By kind of check: answers that pass all rules of the kind, %",
    "rule": "By rule: answers that pass the rule, %",
}


_MOST = 8  # slices per dimension, unless all are wanted


def sliced_in_brief(facts: ReportFacts) -> Section | None:
    """The slices with the largest gaps, except those by rule, which have their own section; None without answers."""
    found = _slices(facts)
    return _section(facts, found, [by for by in _CAPTIONS if by != "rule"], _MOST) if found else None


def sliced(facts: ReportFacts) -> Section:
    """One block per dimension, with the largest gap between the reference and the student first."""
    return _section(facts, _slices(facts), list(_CAPTIONS), None)


def _section(facts: ReportFacts, found: Sequence[Slice], dimensions: Sequence[str], most: int | None) -> Section:
    evaluation = facts.proof.evaluation
    arms = with_roles(evaluation.arms)
    blocks: list[Block] = [
        Words(
            f"The largest gap between {evaluation.reference} and the student comes first. With many slices, some look "
            "bad by chance: a slice shows where to look, and is not a verdict."
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
            words = f"The {most} largest gaps of {len(rows):,}. For all: distill-tui report --slices"
            blocks.append(Words(words, "quiet"))
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

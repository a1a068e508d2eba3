"""The report as one document: its sections and their order. A new section is a function of the facts in `SECTIONS`.

A reader has two questions: does it work, and does it pay. Both are answered first, then backed up; details follow.
"""

import dataclasses
from collections.abc import Callable

from engine.reports.arm_comparisons import against_section
from engine.reports.document import Document, Section
from engine.reports.facts import ReportFacts
from engine.reports.harness import public_tasks
from engine.reports.held_out import held_out
from engine.reports.judged import judged
from engine.reports.money import money
from engine.reports.proof import TONES, rules, verdict, worst
from engine.reports.provenance import provenance
from engine.reports.run_comparison import run_comparison
from engine.reports.side_effects import side_effects
from engine.reports.slices import sliced_in_brief
from engine.reports.training import curves, differing, training_samples
from engine.reports.votes import votes

SECTIONS: tuple[Callable[[ReportFacts], Section | None], ...] = (
    verdict,
    rules,
    money,
    judged,
    against_section,
    run_comparison,
    worst,
    held_out,
    side_effects,
    public_tasks,
    sliced_in_brief,
    votes,
    curves,
    training_samples,
    differing,
    provenance,
)
# What a command prints after a measurement: the verdict comes last, where the reader of a terminal looks.
_BRIEF = ("rules", "verdict")


def build(facts: ReportFacts) -> Document:
    """The whole report."""
    evaluation, run = facts.proof.evaluation, facts.proof.run
    return Document(
        title=facts.proof.project,
        subtitle=f"Run {run.id}: the student without the prompt, compared with the prompted model",
        verdict=evaluation.verdict,
        tone=TONES[evaluation.verdict],
        sections=tuple(section for make in SECTIONS if (section := make(facts)) is not None),
        colophon="This report quotes rules, questions and answers. Share it only where you would share those.",
    )


def brief(document: Document) -> Document:
    """The rules and the verdict only."""
    found = {section.id: section for section in document.sections}
    return dataclasses.replace(document, sections=tuple(found[name] for name in _BRIEF), colophon="")

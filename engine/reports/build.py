"""The report as one document: its sections and their order. A new section is a function of the facts in `SECTIONS`.

A reader has two questions: does it work, and does it pay. Both are answered first, then backed up; details follow.
"""

import dataclasses
from collections.abc import Callable

from engine.reports.against import against_section
from engine.reports.compared import compared
from engine.reports.document import Document, Section
from engine.reports.facts import ReportFacts
from engine.reports.harness import public_tasks
from engine.reports.held_out import held_out
from engine.reports.judged import judged
from engine.reports.money import money
from engine.reports.proof import TONES, rules, verdict, worst
from engine.reports.provenance import provenance
from engine.reports.regressed import regressed
from engine.reports.sliced import sliced_in_brief
from engine.reports.training import curves, differing, sinking_in
from engine.reports.voted import votes

SECTIONS: tuple[Callable[[ReportFacts], Section | None], ...] = (
    verdict,
    rules,
    money,
    judged,
    against_section,
    compared,
    worst,
    held_out,
    regressed,
    public_tasks,
    sliced_in_brief,
    votes,
    curves,
    sinking_in,
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

"""The proof's figures: the answers that were cut off at the token limit, in every format and in JSON."""

import dataclasses
from collections.abc import Callable

import pytest

from engine.evaluation.report import proof_json
from engine.paths import Home
from engine.project import Project
from engine.reports.build import build
from engine.reports.document import Document
from engine.reports.facts import ReportFacts, read_report
from engine.reports.html import to_html
from engine.reports.markdown import to_markdown
from engine.reports.text import to_text
from tests.tui.panes.measured_projects import make_compared


@pytest.fixture
def facts(home: Home) -> ReportFacts:
    with Project.open(make_compared(home), home) as project:
        return read_report(project)


def with_cut_off(facts: ReportFacts, cut_off: dict[str, int]) -> ReportFacts:
    """The facts of an evaluation of answers of at most 24 tokens, of which so many were cut off in each arm."""
    evaluation = facts.proof.evaluation
    arms = tuple((name, dataclasses.replace(score, cut_off=cut_off.get(name))) for name, score in evaluation.arms)
    made = dataclasses.replace(evaluation, arms=arms, max_answer_tokens=24)
    return dataclasses.replace(facts, proof=dataclasses.replace(facts.proof, evaluation=made))


@pytest.mark.parametrize("drawn", [to_text, to_markdown, to_html])
def test_report_warns_of_cut_off_answers_and_counts_them(facts: ReportFacts, drawn: Callable[[Document], str]) -> None:
    text = " ".join(drawn(build(with_cut_off(facts, {"unprompted": 0, "prompted": 90, "distilled": 270}))).split())
    assert "90 of 360 answers of prompted, 270 of 360 of distilled were cut off at 24 tokens" in text
    assert "answers cut off" in text
    few = drawn(build(with_cut_off(facts, {"unprompted": 300, "prompted": 0, "distilled": 2})))
    assert "were cut off" not in few
    assert "answers cut off" in few
    assert "answers cut off" not in drawn(build(with_cut_off(facts, {}))), "old evaluations did not count them"


def test_json_counts_the_cut_off_answers_of_each_arm(facts: ReportFacts) -> None:
    arms = proof_json(with_cut_off(facts, {"prompted": 90, "distilled": 270}).proof)["arms"]
    assert isinstance(arms, dict)
    assert [arms[name]["cut_off"] for name in ("unprompted", "prompted", "distilled")] == [None, 90, 270]

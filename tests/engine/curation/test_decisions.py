"""The user's decisions about a selection: which answers it covers, what is stored, and one undo for all of it."""

import dataclasses
from collections.abc import Sequence

import pytest

from engine.curation import automatic
from engine.curation.automatic import check_examples
from engine.curation.decisions import Accepted, accept, edit, flag, reject, unflag
from engine.errors import NotFoundError, UsageError
from engine.project import Project
from engine.records.example import Example
from engine.records.question import Question
from engine.records.rule import CheckResult, Rule
from engine.records.selection import Selection
from engine.rules.checks import check_answer
from tests.engine.curation.conftest import StoreAnswer


def states(project: Project) -> str:
    """The first letter of each example's state, in order of id."""
    return "".join(row.state[0] for row in project.examples.all())


@pytest.fixture
def checked_project(project: Project, store_answer: StoreAnswer) -> Project:
    """A project with three answers; the rules reject the second and the third."""
    for question_id, text in ((1, None), (2, "Never."), (3, "Never ever.")):
        store_answer(question_id, text) if text else store_answer(question_id)
    check_examples(project)
    assert states(project) == "arr"
    return project


def test_decision_made_during_the_automatic_check_is_kept(
    checked_project: Project, store_answer: StoreAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_answer(4)
    store_answer(5)

    def decide_then_check(rules: Sequence[Rule], text: str, question: Question) -> tuple[CheckResult, ...]:
        if question.id == 1:
            with Project.open(checked_project.folder) as opened:
                reject(opened, Selection(ids=(4,)), "a person says so")
                opened.questions.remove([2])
        return check_answer(rules, text, question)

    monkeypatch.setattr(automatic, "check_answer", decide_then_check)
    checked_project.rules.put([])
    counts = check_examples(checked_project)
    assert [(row.example.id, row.state) for row in checked_project.examples.all()] == [
        (1, "accepted"), (3, "accepted"), (4, "rejected"), (5, "accepted"),
    ]  # fmt: skip
    decision = checked_project.examples.get(4).decision
    assert decision is not None
    assert (decision.source, decision.reason) == ("person", "a person says so")
    assert (counts.accepted, counts.rejected) == (2, 0)


@pytest.mark.parametrize(
    ("selection", "after"),
    [
        (Selection(state="rejected", contains="EVER."), "aaa"),
        (Selection(failing_rule=1, contains="ever e"), "ara"),
        (Selection(spans=((1, 2),)), "aar"),
        (Selection(ids=(3,), spans=((1, 1),)), "ara"),
        (Selection(spans=((1, 9),), without=(2,)), "ara"),
        (Selection(spans=((1, 9),), state="accepted"), "arr"),
        (Selection(search="ever"), "ara"),
        (Selection(flagged=True), "arr"),
        (Selection(contains="unheard"), "arr"),
        (Selection(topic="no such topic"), "arr"),
    ],
    ids=str,
)
def test_selection_covers_what_matches_every_filter_or_was_picked(
    checked_project: Project, selection: Selection, after: str
) -> None:
    accept(checked_project, selection)
    assert states(checked_project) == after


def test_empty_selection_changes_nothing_and_stores_no_step(checked_project: Project) -> None:
    assert accept(checked_project, Selection(contains="unheard")) == Accepted(0)
    assert reject(checked_project, Selection(state="undecided")) == 0
    assert flag(checked_project, Selection(flagged=True)) == 0
    with pytest.raises(NotFoundError):
        reject(checked_project, Selection(ids=(1, 99)))
    assert states(checked_project) == "arr"
    undone = checked_project.decisions.undo()
    assert undone is not None
    assert undone.decisions == 3, "undo reverts the step of the rules, because no later step was stored"


def test_decision_on_many_answers_is_one_step_with_one_reason(checked_project: Project) -> None:
    assert reject(checked_project, Selection(state="accepted"), "tired of it") == 1
    assert accept(checked_project, Selection(spans=((1, 3),))) == Accepted(3)
    assert states(checked_project) == "aaa"
    undone = checked_project.decisions.undo()
    assert undone is not None
    assert (undone.decisions, undone.verdict, undone.first_id) == (3, "accept", 1)
    assert states(checked_project) == "rrr"
    first = checked_project.examples.get(1).decision
    assert first is not None
    assert first.reason == "tired of it"


def test_edit_survives_other_verdicts_until_the_original_text_is_restored(checked_project: Project) -> None:
    edit(checked_project, 2, "Better.")
    reject(checked_project, Selection(ids=(2,)))
    accept(checked_project, Selection(ids=(2,)))
    row = checked_project.examples.get(2)
    assert (row.answer, row.state) == ("Better.", "accepted")
    edit(checked_project, 2, row.example.answer)
    row = checked_project.examples.get(2)
    assert row.decision is not None
    assert (row.answer, row.decision.verdict) == ("Never.", "accept")


def test_cut_answers_are_skipped_in_a_range_but_refused_if_named(checked_project: Project) -> None:
    complete = checked_project.examples.get(1).example
    cut: list[Example] = [
        dataclasses.replace(
            complete, key=dataclasses.replace(complete.key, attempt=attempt), answer="And then", finish_reason="length"
        )
        for attempt in (1, 2)
    ]
    checked_project.examples.add(cut)
    edit(checked_project, 5, "And then it ended.")
    assert accept(checked_project, Selection(spans=((1, 5),))) == Accepted(4, left_out=1)
    assert states(checked_project) == "aaaua"
    with pytest.raises(UsageError, match="Example 4"):
        accept(checked_project, Selection(ids=(1, 4)))
    with pytest.raises(UsageError, match="Example 4"):
        accept(checked_project, Selection(state="undecided"))
    assert states(checked_project) == "aaaua"


def test_flag_is_independent_of_the_decision_and_can_be_undone(checked_project: Project) -> None:
    assert flag(checked_project, Selection(ids=(2, 3)), "ask Ana") == 2
    reject(checked_project, Selection(ids=(1, 2)))
    row = checked_project.examples.get(2)
    assert row.flag is not None
    assert (row.flag.reason, row.state) == ("ask Ana", "rejected")
    assert checked_project.examples.counts().flagged == checked_project.examples.count(Selection(flagged=True)) == 2
    assert unflag(checked_project, Selection(spans=((1, 2),))) == 1, "only one of them has a flag"
    assert checked_project.examples.counts().flagged == 1
    checked_project.close()
    with Project.open(checked_project.folder) as reopened:
        reopened.decisions.undo()
        assert reopened.examples.get(2).flag == row.flag
        reopened.decisions.undo()
        reopened.decisions.undo()
        assert reopened.examples.counts().flagged == 0
        assert states(reopened) == "arr"

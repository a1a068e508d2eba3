"""What a person decides about a selection: who is meant, what stands then, and one undo for all of it."""

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
from tests.engine.curation.conftest import Answer


def states(project: Project) -> str:
    """The first letter of every example's state, by id."""
    return "".join(row.state[0] for row in project.examples.all())


@pytest.fixture
def three(project: Project, answer: Answer) -> Project:
    """Three answers, of which the second and the third are rejected by the rules."""
    for question_id, text in ((1, None), (2, "Never."), (3, "Never ever.")):
        answer(question_id, text) if text else answer(question_id)
    check_examples(project)
    assert states(project) == "arr"
    return project


def test_what_a_person_decides_while_the_rules_look_stands(
    three: Project, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(4)
    answer(5)
    check = automatic.check_answer

    def meanwhile(rules: Sequence[Rule], text: str, question: Question) -> tuple[CheckResult, ...]:
        if question.id == 1:
            with Project.open(three.folder) as app:
                reject(app, Selection(ids=(4,)), "a person says so")
                app.questions.remove([2])
        return check(rules, text, question)

    monkeypatch.setattr(automatic, "check_answer", meanwhile)
    three.rules.put([])
    counts = check_examples(three)
    assert [(row.example.id, row.state) for row in three.examples.all()] == [
        (1, "accepted"), (3, "accepted"), (4, "rejected"), (5, "accepted"),
    ]  # fmt: skip
    standing = three.examples.get(4).decision
    assert standing is not None
    assert (standing.source, standing.reason) == ("person", "a person says so")
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
def test_a_selection_fits_every_filter_and_what_was_picked(three: Project, selection: Selection, after: str) -> None:
    accept(three, selection)
    assert states(three) == after


def test_nothing_is_meant_where_nothing_is_found(three: Project) -> None:
    assert accept(three, Selection(contains="unheard")) == Accepted(0)
    assert reject(three, Selection(state="undecided")) == 0
    assert flag(three, Selection(flagged=True)) == 0
    with pytest.raises(NotFoundError):
        reject(three, Selection(ids=(1, 99)))
    assert states(three) == "arr"
    moved = three.decisions.undo()
    assert moved is not None
    assert moved.decisions == 3, "the step of the rules: nothing was entered since"


def test_many_are_one_step_with_one_reason(three: Project) -> None:
    assert reject(three, Selection(state="accepted"), "tired of it") == 1
    assert accept(three, Selection(spans=((1, 3),))) == Accepted(3)
    assert states(three) == "aaa"
    moved = three.decisions.undo()
    assert moved is not None
    assert (moved.decisions, moved.verdict, moved.first_id) == (3, "accept", 1)
    assert states(three) == "rrr"
    first = three.examples.get(1).decision
    assert first is not None
    assert first.reason == "tired of it"


def test_an_edit_survives_other_verdicts_until_the_teachers_words_come_back(three: Project) -> None:
    edit(three, 2, "Better.")
    reject(three, Selection(ids=(2,)))
    accept(three, Selection(ids=(2,)))
    row = three.examples.get(2)
    assert (row.answer, row.state) == ("Better.", "accepted")
    edit(three, 2, row.example.answer)
    row = three.examples.get(2)
    assert row.decision is not None
    assert (row.answer, row.decision.verdict) == ("Never.", "accept")


def test_cut_answers_are_left_out_of_many_and_refused_by_name(three: Project) -> None:
    whole = three.examples.get(1).example
    cut: list[Example] = [
        dataclasses.replace(
            whole, key=dataclasses.replace(whole.key, attempt=attempt), answer="And then", finish_reason="length"
        )
        for attempt in (1, 2)
    ]
    three.examples.add(cut)
    edit(three, 5, "And then it ended.")
    assert accept(three, Selection(spans=((1, 5),))) == Accepted(4, left_out=1)
    assert states(three) == "aaaua"
    with pytest.raises(UsageError, match="Example 4"):
        accept(three, Selection(ids=(1, 4)))
    with pytest.raises(UsageError, match="Example 4"):
        accept(three, Selection(state="undecided"))
    assert states(three) == "aaaua"


def test_a_flag_stands_beside_the_decision_and_is_undone_like_one(three: Project) -> None:
    assert flag(three, Selection(ids=(2, 3)), "ask Ana") == 2
    reject(three, Selection(ids=(1, 2)))
    row = three.examples.get(2)
    assert row.flag is not None
    assert (row.flag.reason, row.state) == ("ask Ana", "rejected")
    assert three.examples.counts().flagged == three.examples.count(Selection(flagged=True)) == 2
    assert unflag(three, Selection(spans=((1, 2),))) == 1, "only where there is one"
    assert three.examples.counts().flagged == 1
    three.close()
    with Project.open(three.folder) as again:
        again.decisions.undo()
        assert again.examples.get(2).flag == row.flag
        again.decisions.undo()
        again.decisions.undo()
        assert again.examples.counts().flagged == 0
        assert states(again) == "arr"

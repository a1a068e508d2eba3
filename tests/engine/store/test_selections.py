"""Selections of examples by flag, topic, failed rule and mark, and what the store counts by them."""

import pytest

from engine.project import Project
from engine.records.example import Decision, Verdict
from engine.records.rule import CheckResult
from engine.records.selection import Selection
from tests.engine.store.sample_records import PROMPT, example


def ids(project: Project, selection: Selection) -> list[int]:
    return [row.example.id for row in project.examples.window(0, -1, selection)]


@pytest.mark.usefixtures("twelve_examples")
def test_counts_of_failed_rules_follow_the_checks(project: Project) -> None:
    failed, passed = CheckResult(2, passed=False, note="why"), CheckResult(2, passed=True)
    project.examples.set_checks({1: [failed], 4: [CheckResult(1, passed=True), failed], 5: [passed]})
    assert ids(project, Selection(failing_rule=2)) == [1, 4]
    assert project.examples.broken_rules(Selection(PROMPT.sha256)) == {2: 2}
    assert project.examples.broken_rules(Selection("another")) == {}
    project.examples.set_checks({4: [passed]})
    assert ids(project, Selection(failing_rule=2)) == [1]
    project.questions.remove([1])
    assert project.examples.broken_rules(Selection(PROMPT.sha256)) == {}


@pytest.mark.usefixtures("twelve_examples")
def test_topics_are_counted_by_the_selected_examples(project: Project) -> None:
    assert project.examples.topics(Selection(PROMPT.sha256)) == (("topic 0", 4), ("topic 1", 4), ("topic 2", 4))
    assert project.examples.topics(Selection(ids=(1, 4, 5))) == (("topic 0", 2), ("topic 1", 1))
    assert project.examples.topics(Selection("another")) == ()


@pytest.mark.usefixtures("twelve_examples")
def test_filters_and_marked_examples_combine(project: Project) -> None:
    project.decisions.decide([Decision(number, "flag", "person") for number in (2, 5, 8)])
    assert ids(project, Selection(flagged=True)) == [2, 5, 8]
    assert ids(project, Selection(topic="topic 0")) == [1, 4, 7, 10]
    assert ids(project, Selection(topic="topic 1", flagged=False)) == [11]
    assert ids(project, Selection(spans=((2, 4), (10, 99)), ids=(7,), without=(3, 11))) == [2, 4, 7, 10, 12]
    assert ids(project, Selection(topic="topic 0", spans=((2, 9),))) == [4, 7]
    assert project.examples.questions_of(Selection(flagged=True)) == (2, 5, 8)
    assert project.examples.window(1, 1, Selection(flagged=True))[0].example.id == 5


@pytest.mark.usefixtures("twelve_examples")
def test_attempts_are_counted_by_question_and_teacher(project: Project) -> None:
    project.examples.add([example(3, "again", attempt=1), example(3, "once more", attempt=2)])
    assert project.examples.attempts([3, 4, 99], PROMPT.sha256) == {3: (3, 13, 14), 4: (4,)}
    assert project.examples.next_attempts([3, 4, 99], PROMPT.sha256, "teacher") == {3: 3, 4: 1, 99: 0}
    assert project.examples.next_attempts([3], PROMPT.sha256, "another") == {3: 0}


@pytest.mark.usefixtures("twelve_examples")
@pytest.mark.parametrize("verdict", ["accept", "reject", "flag", "unflag"])
def test_deciding_on_an_empty_selection_adds_no_step(project: Project, verdict: Verdict) -> None:
    assert project.decisions.decide_all(verdict, Selection(topic="none")) == 0
    assert project.decisions.undo() is None

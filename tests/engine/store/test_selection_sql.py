"""Lists by flag, topic and broken rule on what the store keeps beside the examples, and on many of them."""

import pytest

from engine.project import Project
from engine.records.example import Decision
from engine.records.rule import CheckResult
from engine.records.selection import Selection
from tests.engine.store.facts import PROMPT, example


def ids(project: Project, selection: Selection) -> list[int]:
    return [row.example.id for row in project.examples.window(0, -1, selection)]


def test_broken_rules_follow_the_checks(answered: Project) -> None:
    broken, kept = CheckResult(2, passed=False, note="why"), CheckResult(2, passed=True)
    answered.examples.set_checks({1: [broken], 4: [CheckResult(1, passed=True), broken], 5: [kept]})
    assert ids(answered, Selection(failing_rule=2)) == [1, 4]
    assert answered.examples.broken_rules(PROMPT.sha256) == {2: 2}
    assert answered.examples.broken_rules("another") == {}
    answered.examples.set_checks({4: [kept]})
    assert ids(answered, Selection(failing_rule=2)) == [1]
    answered.questions.remove([1])
    assert answered.examples.broken_rules(PROMPT.sha256) == {}


def test_filters_and_picks_combine(answered: Project) -> None:
    answered.decisions.decide([Decision(number, "flag", "person") for number in (2, 5, 8)])
    assert ids(answered, Selection(flagged=True)) == [2, 5, 8]
    assert ids(answered, Selection(topic="topic 0")) == [1, 4, 7, 10]
    assert ids(answered, Selection(topic="topic 1", flagged=False)) == [11]
    assert ids(answered, Selection(spans=((2, 4), (10, 99)), ids=(7,), without=(3, 11))) == [2, 4, 7, 10, 12]
    assert ids(answered, Selection(topic="topic 0", spans=((2, 9),))) == [4, 7]
    assert answered.examples.questions_of(Selection(flagged=True)) == (2, 5, 8)
    assert answered.examples.window(1, 1, Selection(flagged=True))[0].example.id == 5


def test_attempts_are_counted_by_question_and_teacher(answered: Project) -> None:
    answered.examples.add([example(3, "again", attempt=1), example(3, "once more", attempt=2)])
    assert answered.examples.attempts([3, 4, 99], PROMPT.sha256) == {3: (3, 13, 14), 4: (4,)}
    assert answered.examples.next_attempts([3, 4, 99], PROMPT.sha256, "teacher") == {3: 3, 4: 1, 99: 0}
    assert answered.examples.next_attempts([3], PROMPT.sha256, "another") == {3: 0}


@pytest.mark.parametrize("verdict", ["accept", "reject", "flag", "unflag"])
def test_deciding_about_nothing_leaves_no_step(answered: Project, verdict: str) -> None:
    assert answered.decisions.decide_all(verdict, Selection(topic="none")) == 0
    assert answered.decisions.undo() is None

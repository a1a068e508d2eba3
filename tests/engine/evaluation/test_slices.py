"""Slices: each question is in one part per dimension, and the largest gap comes first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation.slices import slices_of
from engine.paths import Home
from engine.records.prompt import Message
from engine.records.question import Question
from tests.engine.cli.calling import get, succeed
from tests.engine.cli.shapes import RATE, assert_shape
from tests.engine.evaluation.handmade_evaluations import arm_answer, evaluation, unjudged
from tests.tui.panes.measured_projects import make_compared


def question(number: int, words: int, topic: str) -> Question:
    return Question((Message("user", "word " * words),), topic=topic, source="file", id=number)


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from("abc")), min_size=1, max_size=20))
def test_every_question_is_in_one_part_of_each_dimension(made: list[tuple[int, str]]) -> None:
    questions = {number: question(number, *each) for number, each in enumerate(made, start=1)}
    answers = [
        arm_answer(arm, number, 0, True, number % 2 == 0)
        for arm in ("unprompted", "prompted", "distilled")
        for number in questions
    ]
    found = slices_of(evaluation(), questions, answers)
    for by in ("topic", "length", "source"):
        parts = [each for each in found if each.by == by]
        assert sum(each.questions for each in parts) == len(made)
        assert sum(dict(each.rates)["distilled"].total for each in parts) == len(made)
    assert len({each.name for each in found if each.by == "length"}) <= len({words for words, _ in made})


def test_largest_gap_comes_first_and_kinds_count_only_their_rules() -> None:
    questions = {1: question(1, 3, "easy"), 2: question(2, 9, "hard")}
    answers = [arm_answer(arm, number, 0, True, True) for arm in ("unprompted", "prompted") for number in (1, 2)]
    answers += [arm_answer("distilled", 1, 0, True, True), arm_answer("distilled", 2, 0, False, True)]
    found = slices_of(evaluation(), questions, answers)
    assert [each.name for each in found if each.by == "topic"] == ["hard", "easy"]
    kinds = {each.name: dict(each.rates)["distilled"].rate for each in found if each.by == "kind"}
    assert kinds == {"pattern": pytest.approx(0.5), "label": 1.0}
    assert [each.name[0] for each in found if each.by == "rule"] == ["1", "2"]
    assert slices_of(evaluation(), questions, []) == ()


def test_answer_without_a_verdict_is_not_counted_for_that_rule() -> None:
    questions = {1: question(1, 3, "easy"), 2: question(2, 9, "hard")}
    judged_answers = [arm_answer(arm, number, 0, True, True) for arm in ("unprompted", "prompted") for number in (1, 2)]
    unjudged_answers = [unjudged(arm_answer("distilled", number, 0, True, True)) for number in (1, 2)]
    found = slices_of(evaluation(), questions, [*judged_answers, *unjudged_answers])
    totals = {(each.by, each.name.partition(" ")[0]): dict(each.rates)["distilled"].total for each in found}
    assert totals.pop(("rule", "1")) == totals.pop(("kind", "pattern")) == 2
    assert set(totals.values()) == {0}, "no total counts the answer, neither for the rule nor for all rules"
    assert {each.gap("prompted") for each in found} == {0.0}


def test_report_shows_all_slices_only_with_the_slices_option(private_home: object) -> None:
    home = Home.locate()
    make_compared(home)
    assert "slices" not in get("report")
    data = get("report", "--slices")
    assert_shape(data["slices"], [{"by": str, "name": str, "questions": int, "arms": {"distilled": RATE}}])
    assert {each["by"] for each in data["slices"]} == {"topic", "length", "source", "kind", "rule"}
    text = succeed("report", "--slices").out
    assert "By rule: answers that pass the rule, %" in text
    assert text.count("── Slices") == 1
    brief = succeed("report").out
    assert "By kind of check: answers that pass all rules of the kind, %" in brief
    assert "By rule: answers that pass the rule, %" not in brief, "rules have a separate section"

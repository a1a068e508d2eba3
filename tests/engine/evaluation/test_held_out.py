"""The worst held-out tokens and answers: found as a plain sort finds them, with the rules that have to do with them."""

import math

from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation.held_out import MOST, rules_at, rules_text, worst_answers, worst_places
from engine.records.evaluation import HeldOutToken
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.rule import CheckResult, Span
from tests.engine.evaluation.made import arm_answer

LINES = st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, math.nan, math.inf]) | st.floats(0, 9), max_size=6))


@given(LINES)
def test_the_worst_places_are_those_of_a_plain_sort(lines: list[list[float]]) -> None:
    every = [(kl, row, place) for row, line in enumerate(lines) for place, kl in enumerate(line) if math.isfinite(kl)]
    assert worst_places(lines) == sorted(every, key=lambda one: (-one[0], one[1], one[2]))[:MOST]


@given(LINES)
def test_the_worst_answers_are_by_the_mean_and_name_what_the_arm_s_own_answer_breaks(lines: list[list[float]]) -> None:
    questions = [Question((Message("user", f"{n}?"),), id=n + 1) for n in range(len(lines))]
    own = [
        arm_answer("distilled", n + 1, sample, n % 2 == sample, True) for n in range(len(lines)) for sample in (0, 1)
    ]
    found = worst_answers(questions, lines, own)
    means = {
        n + 1: math.fsum(line) / len(line) for n, line in enumerate(lines) if line and all(map(math.isfinite, line))
    }
    assert len(found) == min(MOST, len(means))
    assert [answer.kl for answer in found] == sorted((answer.kl for answer in found), reverse=True)
    for answer in found:
        assert math.isclose(answer.kl, means[answer.question_id], abs_tol=1e-12)
        assert answer.tokens == len(lines[answer.question_id - 1])
        assert answer.broken == ((1,) if answer.question_id % 2 == 0 else ()), "of the first sample alone"
    left = set(means) - {answer.question_id for answer in found}
    assert all(means[number] <= found[-1].kl + 1e-12 for number in left)


def test_a_token_is_told_with_the_rules_whose_characters_it_holds() -> None:
    checks = (
        CheckResult(1, True, fixed=(Span(0, 4),)),
        CheckResult(2, False, failing=(Span(3, 9),)),
        CheckResult(3, True, failing=(Span(0, 9),)),  # a rule that is kept marks nothing
    )
    assert rules_at(checks, 0, 3) == ((1,), ())
    assert rules_at(checks, 3, 5) == ((1,), (2,))
    assert rules_at(checks, 4, 5) == ((), (2,))
    assert rules_at(checks, 9, 9) == ((), ())  # the end of the answer
    token = HeldOutToken(1.0, 1, "", "a", "a", "b", (1,), (2,), (1, 2))
    assert rules_text(token) == "required by rule 1; breaks rule 2; student's answer fails rules 1, 2"
    assert rules_text(HeldOutToken(1.0, 1, "", "a", "a", "b")) == ""

"""Which point of a curve is the best, and how much validation a run can afford."""

from dataclasses import replace

import pytest

from engine.model.load import LocalModel
from engine.records.run import CurvePoint
from engine.training.validation import Validator, best_point
from tests.engine.training.runs import CONFIG, RULES, MakeRow, questions_of


def point(step: int, kl: float, rate: float) -> CurvePoint:
    return CurvePoint(step, 0.0, 1.0, kl, (), rate, 0.0, 0.0, best=False)


@pytest.mark.parametrize(
    ("points", "asked", "best"),
    [
        ([(0, 0.1, 1.0), (5, 0.9, 0.2)], 100, 5),  # a run's best is never its beginning
        ([(0, 4.0, 0.0)], 100, 0),
        ([(5, 0.3, 0.9), (9, 0.2, 0.86)], 100, 9),  # within 5 points the divergence decides
        ([(5, 0.3, 0.9), (9, 0.2, 0.84)], 100, 5),  # beyond them the rules do
        ([(5, 0.3, 1.0), (9, 0.2, 0.75)], 4, 9),  # one answer of four decides nothing
        ([(5, 0.3, 1.0), (9, 0.2, 0.5)], 4, 5),
        ([(5, 0.2, 0.9), (9, 0.2, 0.9)], 100, 5),
    ],
)
def test_the_best_point(points: list[tuple[int, float, float]], asked: int, best: int) -> None:
    assert best_point([point(*each) for each in points], asked).step == best


def test_a_longer_run_affords_more_rows_and_the_choice_is_the_seeds(local: LocalModel, make_row: MakeRow) -> None:
    rows = [make_row(number, f"question {number}", "Abc") for number in range(1, 101)]
    questions = questions_of(rows, local)

    def validator(trained_tokens: int, seed: int = 0) -> Validator:
        return Validator(rows, None, questions, RULES, 0.7, replace(CONFIG, seed=seed), trained_tokens)

    short, long = validator(1_000), validator(10_000_000)
    assert len(short.scored) == len(short.asked) == len(long.asked) == 16
    assert len(long.scored) == 100
    assert validator(1_000).scored == short.scored
    assert validator(1_000, seed=1).scored != short.scored


def test_several_answers_to_one_question_are_asked_once(local: LocalModel, make_row: MakeRow) -> None:
    rows = [replace(make_row(number, "same?", "Abc"), question_id=1) for number in range(1, 6)]
    assert len(Validator(rows, None, questions_of(rows, local), RULES, 0.7, CONFIG, 1_000).asked) == 1

"""The verdict's bounds, and the figures in its reason."""

import dataclasses

import pytest

from engine.evaluation.statistics import wilson
from engine.evaluation.verdict import MIN_QUESTIONS, cut_off, ending_text, reason, sentence, verdict
from engine.records.evaluation import Evaluation, Interval
from engine.records.question import Split
from tests.engine.evaluation.handmade_evaluations import arm_answer, evaluation


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Interval(0.95, 0.90, 1.0), "pass"),
        (Interval(1.02, 0.97, 1.1), "pass"),
        (Interval(0.97, 0.89, 1.0), "undecided"),
        (Interval(0.94, 0.91, 0.96), "undecided"),
        (Interval(0.94, 0.92, 0.949), "fail"),
        (Interval(0.9499999999999998, 0.8999999999999999, 1.0), "pass"),  # 1,140 of 1,200 samples, summed in thirds
        (Interval(0.50, 0.40, 0.60), "fail"),
        (None, "undecided"),
    ],
)
def test_verdict_follows_from_value_and_interval(interval: Interval | None, expected: str) -> None:
    assert verdict(interval, 120) == expected


def test_verdict_needs_a_minimum_number_of_questions() -> None:
    perfect = Interval(1.0, 1.0, 1.0)
    assert verdict(perfect, MIN_QUESTIONS) == "pass"
    assert verdict(perfect, MIN_QUESTIONS - 1) == "undecided"
    assert wilson(MIN_QUESTIONS, MIN_QUESTIONS).low >= 0.90 > wilson(MIN_QUESTIONS - 1, MIN_QUESTIONS - 1).low


@pytest.mark.parametrize(
    ("interval", "questions", "parts"),
    [
        (Interval(1.02, 0.97, 1.1), 40, ("102", "below 90", "97", "110")),
        (Interval(0.50, 0.40, 0.60), 40, ("50", "40", "60", "below 95")),
        (Interval(0.97, 0.80, 1.0), 40, ("97", "80", "100", "samples would decide")),
        (Interval(1.0, 1.0, 1.0), 12, ("12 questions are too few", "at least 35")),
        (Interval(1.0, 1.0, 1.0), 1, ("1 question is too few",)),
        (None, 40, ("nothing to recover",)),
    ],
)
def test_reason_states_the_figures_behind_the_verdict(
    interval: Interval | None, questions: int, parts: tuple[str, ...]
) -> None:
    measured = dataclasses.replace(evaluation(interval), questions=questions, verdict=verdict(interval, questions))
    text = reason(measured)
    assert all(part in text for part in parts), text


@pytest.mark.parametrize("split", ["train", "validation"])
def test_verdict_on_training_or_validation_questions_is_marked_as_no_proof(split: Split) -> None:
    held_out = evaluation(Interval(1.02, 0.97, 1.1))
    assert "No proof" not in sentence(held_out)
    assert "No proof" in sentence(dataclasses.replace(held_out, split=split))


def with_cut_off(**counts: int) -> Evaluation:
    made = dataclasses.replace(evaluation(), max_answer_tokens=24)
    arms = tuple((name, dataclasses.replace(score, cut_off=counts.get(name, 0))) for name, score in made.arms)
    return dataclasses.replace(made, arms=arms)


def test_cut_off_answers_of_the_student_or_its_reference_are_counted_for_every_arm() -> None:
    text = cut_off(with_cut_off(unprompted=40, distilled=12))
    assert text.startswith("40 of 40 answers of unprompted, 12 of 40 of distilled were cut off at 24 tokens, ")
    assert "--max-answer-tokens" in text
    assert cut_off(with_cut_off(prompted=40)).startswith("40 of 40 answers of prompted were cut off at 24 tokens, ")


def test_few_cut_off_answers_are_no_warning() -> None:
    assert cut_off(with_cut_off(unprompted=40, distilled=1)) == "", "the base was not told how to end its answers"
    assert cut_off(evaluation()) == "", "old evaluations did not count them"


@pytest.mark.parametrize(
    ("finish_reason", "text"),
    [("stop", ""), ("", ""), ("length", "cut off at 24 tokens"), ("content_filter", "ended by content_filter")],
)
def test_ending_of_an_answer_names_the_limit(finish_reason: str, text: str) -> None:
    answer = dataclasses.replace(arm_answer("distilled", 1, 0, True, True, tokens=24), finish_reason=finish_reason)
    assert ending_text(answer, with_cut_off()) == text

"""Which point of a curve is the best, what an evaluation measures, and which tokens it reports as the worst."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.model.local_model import LocalModel
from engine.records.run import CurvePoint
from engine.training import student as student_module
from engine.training.best import best_point, contenders
from engine.training.student import with_new_adapter
from engine.training.teacher_cache import TeacherCache
from engine.training.validation import Validator
from engine.training.validation_plan import ValidationPlan
from tests.engine.training.trainer_helpers import (
    CONFIG,
    FULL_VALIDATION,
    MakeRow,
    make_dataset_prompts,
    randomise_adapter,
)


def point(step: int, kl: float, rate: float | None, asked: int = 100) -> CurvePoint:
    return CurvePoint(step, 0.0, 1.0, kl, (), rate, 0.0, 0.0, best=False, asked=asked)


@pytest.mark.parametrize(
    ("points", "asked", "best"),
    [
        ([(0, 0.1, 1.0), (5, 0.9, 0.2)], 100, 5),  # the start is never the best of a run
        ([(0, 4.0, 0.0)], 100, 0),
        ([(5, 0.3, 0.9), (9, 0.2, 0.86)], 100, 9),  # within 5 percentage points the divergence decides
        ([(5, 0.3, 0.9), (9, 0.2, 0.84)], 100, 5),  # beyond them the rules decide
        ([(5, 0.3, 1.0), (9, 0.2, 0.75)], 4, 9),  # one answer in four decides nothing
        ([(5, 0.3, 1.0), (9, 0.2, 0.5)], 4, 5),
        ([(5, 0.2, 0.9), (9, 0.2, 0.9)], 100, 5),
        ([(5, 0.3, None), (7, 0.1, None), (9, 0.2, 1.0)], 16, 7),  # rates that only some points have decide nothing
        ([(0, 0.1, None), (5, 0.2, 0.5), (9, 0.3, 1.0)], 16, 9),
    ],
)
def test_best_point(points: list[tuple[int, float, float | None]], asked: int, best: int) -> None:
    assert best_point([point(*each, asked) for each in points]).step == best


def test_best_of_the_kept_points_is_chosen_by_comparison_with_all_points() -> None:
    points = [point(4, 0.1, 0.9), point(8, 0.2, 0.8), point(12, 0.3, 0.86)]
    assert best_point(points, {8, 12}).step == 12, "step 8 is more than 5 percentage points behind one that was removed"
    assert best_point(points, {8}).step == 8


@given(
    measured=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 16)), min_size=1, max_size=12),
    asked=st.sampled_from([4, 8, 16]),
    rated=st.booleans(),
)
def test_contenders_and_a_new_point_give_the_best_of_all_points(
    measured: list[tuple[int, int]], asked: int, rated: bool
) -> None:
    points: list[CurvePoint] = [point(0, 9.0, None, asked)]
    for step, (kl, passed) in enumerate(measured, start=1):
        kept = contenders(points)
        assert len(kept) <= 2
        points.append(point(step, kl / 10, min(passed, asked) / asked if rated else None, asked))
        best = best_point(points)
        assert best_point(points, {*kept, step}) == best
        points = [replace(each, best=each.step == best.step) for each in points]


def test_evaluation_measures_what_was_planned_on_rows_chosen_by_the_seed(local: LocalModel, make_row: MakeRow) -> None:
    rows = [make_row(number, f"question {number}", "Abc") for number in range(1, 101)]
    dataset_prompts = make_dataset_prompts(rows, local)

    def validator(seed: int = 0) -> Validator:
        return Validator(rows, None, dataset_prompts, 0.7, seed, ValidationPlan(12, 4, "trained", 0.0))

    assert (len(validator().scored), len(validator().asked)) == (12, 4)
    assert validator().scored == validator().scored
    assert validator(seed=1).scored != validator().scored
    without_answers = validator().measure(local, 8, lambda: None, answers=0)
    full = validator().measure(local, 8, lambda: None)
    assert (
        without_answers.rule_rates,
        without_answers.all_rules_rate,
        without_answers.watched,
        without_answers.asked,
    ) == ((), None, (), 0)
    assert (without_answers.validation_kl, full.asked, len(full.watched)) == (full.validation_kl, 4, 2)
    two = validator().measure(local, 8, lambda: None, answers=2)
    assert (two.asked, two.watched) == (2, full.watched), "fewer answers are the first of all"
    assert two.decoding_step_s > 0 == without_answers.decoding_step_s
    assert full.all_rules_rate is not None
    assert full.measure == "cross-entropy", "there is no teacher distribution to compare with"


def test_question_with_several_answers_is_asked_once(local: LocalModel, make_row: MakeRow) -> None:
    rows = [replace(make_row(number, "same?", "Abc"), question_id=1) for number in range(1, 6)]
    assert len(Validator(rows, None, make_dataset_prompts(rows, local), 0.7, 0, FULL_VALIDATION).asked) == 1


@pytest.mark.parametrize("with_teacher", [True, False])
def test_worst_tokens_equal_those_of_a_slow_search(
    local: LocalModel, make_row: MakeRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, with_teacher: bool
) -> None:
    rows = [make_row(number, f"question {number}?", "One two. " * number) for number in range(1, 4)]
    rows.append(make_row(4, "edited?", "Quite another answer.", edited_from=3))
    dataset_prompts = make_dataset_prompts(rows, local)
    teacher = TeacherCache.build(local, rows, dataset_prompts, 6, tmp_path) if with_teacher else None
    student = randomise_adapter(with_new_adapter(local, CONFIG), seed=3, std=0.3)

    expected = []
    for row in rows:
        with torch.no_grad():
            ids = torch.tensor([[*row.question_ids, *row.completion_ids]])
            logits = student.model(input_ids=ids).logits[0, len(row.question_ids) - 1 : -1].double()
        log_q = logits.log_softmax(-1)
        for place in range(row.edited_from if teacher is not None else len(row.completion_ids)):
            nats, best = -float(log_q[place, row.completion_ids[place]]), row.completion_ids[place]
            if teacher is not None:
                held = teacher.gather([row])[slice(place, place + 1)]
                others = torch.ones(log_q.shape[-1], dtype=torch.bool)
                others[held.ids[0]] = False
                log_p = torch.cat([held.logprobs[0], held.tail]).double().log_softmax(-1)
                buckets = torch.cat([log_q[place, held.ids[0]], log_q[place, others].logsumexp(-1, keepdim=True)])
                nats, best = float((log_p.exp() * (log_p - buckets)).sum()), int(held.ids[0, 0])
            teacher_text, student_text = (local.format.decode([token]) for token in (best, int(log_q[place].argmax())))
            expected.append((nats, row.example_id, place, teacher_text, student_text))
    expected.sort(reverse=True)

    passes = []
    hidden = student_module.completion_hidden
    monkeypatch.setattr(student_module, "completion_hidden", lambda *args: passes.append(1) or hidden(*args))
    validator = Validator(rows, teacher, dataset_prompts, 0.7, 0, FULL_VALIDATION)
    found = validator.measure(student, 2, lambda: None).worst
    assert len(passes) == 2, "one pass per batch, and no extra one for the worst tokens"
    assert [token.kl for token in found] == pytest.approx([each[0] for each in expected[:8]], rel=1e-3)
    for token, (_nats, example_id, place, teacher_text, student_text) in zip(found, expected, strict=False):
        row = rows[example_id - 1]
        assert (token.example_id, token.teacher, token.student) == (example_id, teacher_text, student_text)
        assert token.before == local.format.decode(row.completion_ids[:place])[-80:]
        assert token.token == local.format.decode(row.completion_ids[place : place + 1])

"""Which point of a curve is the best, and how much validation a run can afford."""

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
from engine.training.student import trained_parameters, with_new_adapter
from engine.training.teacher_cache import TeacherCache
from engine.training.validation import Validator
from engine.training.validation_plan import ValidationPlan
from tests.engine.training.runs import CONFIG, WHOLE_PLAN, MakeRow, taught_of


def point(step: int, kl: float, rate: float | None, asked: int = 100) -> CurvePoint:
    return CurvePoint(step, 0.0, 1.0, kl, (), rate, 0.0, 0.0, best=False, asked=asked)


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
        ([(5, 0.3, None), (7, 0.1, None), (9, 0.2, 1.0)], 16, 7),  # rates of some points decide nothing
        ([(0, 0.1, None), (5, 0.2, 0.5), (9, 0.3, 1.0)], 16, 9),
    ],
)
def test_the_best_point(points: list[tuple[int, float, float | None]], asked: int, best: int) -> None:
    assert best_point([point(*each, asked) for each in points]).step == best


def test_of_what_is_kept_the_best_is_chosen_against_all_points() -> None:
    points = [point(4, 0.1, 0.9), point(8, 0.2, 0.8), point(12, 0.3, 0.86)]
    assert best_point(points, {8, 12}).step == 12, "step 8 is more than 5 points behind one that is gone"
    assert best_point(points, {8}).step == 8


@given(
    measured=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 16)), min_size=1, max_size=12),
    asked=st.sampled_from([4, 8, 16]),
    rated=st.booleans(),
)
def test_between_the_contenders_and_a_new_point_the_choice_is_that_of_all_points(
    measured: list[tuple[int, int]], asked: int, rated: bool
) -> None:
    points: list[CurvePoint] = [point(0, 9.0, None, asked)]
    for step, (kl, kept) in enumerate(measured, start=1):
        there = contenders(points)
        assert len(there) <= 2
        points.append(point(step, kl / 10, min(kept, asked) / asked if rated else None, asked))
        best = best_point(points)
        assert best_point(points, {*there, step}) == best
        points = [replace(each, best=each.step == best.step) for each in points]


def test_as_much_is_measured_as_was_planned_and_the_choice_is_the_seeds(local: LocalModel, make_row: MakeRow) -> None:
    rows = [make_row(number, f"question {number}", "Abc") for number in range(1, 101)]
    taught = taught_of(rows, local)

    def validator(seed: int = 0) -> Validator:
        return Validator(rows, None, taught, 0.7, seed, ValidationPlan(12, 4, "trained", 0.0))

    assert (len(validator().scored), len(validator().asked)) == (12, 4)
    assert validator().scored == validator().scored
    assert validator(seed=1).scored != validator().scored
    bare = validator().measure(local, 8, lambda: None, answers=0)
    whole = validator().measure(local, 8, lambda: None)
    assert (bare.rule_rates, bare.all_rules_rate, bare.watched, bare.asked) == ((), None, (), 0)
    assert (bare.validation_kl, whole.asked, len(whole.watched)) == (whole.validation_kl, 4, 2)
    two = validator().measure(local, 8, lambda: None, answers=2)
    assert (two.asked, two.watched) == (2, whole.watched), "fewer are the first of all"
    assert two.decoding_step_s > 0 == bare.decoding_step_s
    assert whole.all_rules_rate is not None
    assert whole.measure == "cross-entropy", "there is no teacher's distribution to diverge from"


def test_several_answers_to_one_question_are_asked_once(local: LocalModel, make_row: MakeRow) -> None:
    rows = [replace(make_row(number, "same?", "Abc"), question_id=1) for number in range(1, 6)]
    assert len(Validator(rows, None, taught_of(rows, local), 0.7, 0, WHOLE_PLAN).asked) == 1


@pytest.mark.parametrize("with_teacher", [True, False])
def test_the_worst_tokens_are_those_of_a_slow_search(
    local: LocalModel, make_row: MakeRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, with_teacher: bool
) -> None:
    rows = [make_row(number, f"question {number}?", "One two. " * number) for number in range(1, 4)]
    rows.append(make_row(4, "edited?", "Quite another answer.", edited_from=3))
    taught = taught_of(rows, local)
    teacher = TeacherCache.build(local, rows, taught, 6, tmp_path) if with_teacher else None
    student = with_new_adapter(local, CONFIG)
    torch.manual_seed(3)
    for parameter in trained_parameters(student):
        torch.nn.init.normal_(parameter, std=0.3)

    expected = []
    for row in rows:
        with torch.no_grad():
            given = torch.tensor([[*row.question_ids, *row.completion_ids]])
            logits = student.model(input_ids=given).logits[0, len(row.question_ids) - 1 : -1].double()
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
            said = (local.format.decode([token]) for token in (best, int(log_q[place].argmax())))
            expected.append((nats, row.example_id, place, *said))
    expected.sort(reverse=True)

    passes = []
    hidden = student_module.completion_hidden
    monkeypatch.setattr(student_module, "completion_hidden", lambda *given: passes.append(1) or hidden(*given))
    validator = Validator(rows, teacher, taught, 0.7, 0, WHOLE_PLAN)
    found = validator.measure(student, 2, lambda: None).worst
    assert len(passes) == 2, "one pass a batch, and none for this"
    assert [token.kl for token in found] == pytest.approx([each[0] for each in expected[:8]], rel=1e-3)
    for token, (_nats, example_id, place, best, said) in zip(found, expected, strict=False):
        row = rows[example_id - 1]
        assert (token.example_id, token.teacher, token.student) == (example_id, best, said)
        assert token.before == local.format.decode(row.completion_ids[:place])[-80:]
        assert token.token == local.format.decode(row.completion_ids[place : place + 1])

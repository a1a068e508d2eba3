"""The points of a run's curve: how they are added to its state, and whether they end the run. Pure.

Knows nothing of how they are measured.
"""

from collections.abc import Collection
from dataclasses import replace

from engine.records.run import CurvePoint
from engine.training.best import best_point, contenders, points_without_improvement
from engine.training.stages import Course
from engine.training.state import TrainingState
from engine.training.validation import Measurement
from engine.wording import counted

_ALARMS_AT_MOST = 10  # steps in a row with an alarm before the run ends


def with_point(
    state: TrainingState,
    measured: Measurement,
    train_loss: float,
    learning_rate: float,
    seconds: float,
    kept: Collection[int],
    *,
    held_out: bool,
) -> TrainingState:
    """Return the state after an evaluation of `seconds`, with the best point marked: the newest if not `held_out`.

    `kept`: the steps that have a checkpoint. The choice is between this point and the contenders so far, and never
    returns to weights that are gone. Other checkpoints do not count, because whether they exist depends on timing.
    """
    stepped_s = state.train_s - state.validation_s
    point = CurvePoint(
        step=state.step,
        epoch=state.epoch,
        train_loss=train_loss,
        validation_kl=measured.validation_kl,
        rule_rates=measured.rule_rates,
        all_rules_rate=measured.all_rules_rate,
        learning_rate=learning_rate,
        tokens_per_second=state.tokens / stepped_s if stepped_s else 0.0,
        best=False,
        asked=measured.asked,
        asked_own=measured.asked_own,
        measure=measured.measure,
    )
    points = (*state.points, point)
    best = best_point(points, {*contenders(state.points).intersection(kept), point.step}) if held_out else point
    return replace(
        state,
        points=tuple(replace(each, best=each.step == best.step) for each in points),
        best_step=best.step,
        loss_sum=0.0,
        loss_tokens=0,
        train_s=state.train_s + seconds,
        validation_s=state.validation_s + seconds,
    )


def steps_to_keep(state: TrainingState, *, held_out: bool) -> frozenset[int]:
    """Return the steps whose checkpoints must stay: the best, and if `held_out`, those that may still become it."""
    return contenders(state.points) if held_out else frozenset({state.best_step})


def reason_to_end(state: TrainingState, course: Course, *, held_out: bool) -> str:
    """Return why the run should end now; empty if it should go on.

    Either its stage raised alarms, or, if points are `held_out`, `patience` points in a row of its last stage were not
    the best.
    """
    if state.alarms_in_row >= _ALARMS_AT_MOST:
        return f"{state.alarm}, for {state.alarms_in_row} steps in a row"
    fruitless, patience = points_without_improvement(state.points, course.last_begins_at), course.config.patience
    if held_out and 0 < patience <= fruitless:
        return f"{counted(fruitless, 'evaluation')} in a row found nothing better"
    return ""

"""Which rows each step sees, the learning rate of each step, and the steps at which a run is evaluated."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.training.schedule import Schedule, evaluation_steps, learning_rate_at

LENGTHS = st.lists(st.integers(2, 300), min_size=1, max_size=90).map(tuple)


@given(LENGTHS, st.integers(1, 12), st.integers(-3, 10**6))
@settings(max_examples=60, deadline=None)
def test_every_epoch_sees_every_row_once_in_batches_of_nearly_equal_size(
    lengths: tuple[int, ...], batch_rows: int, seed: int
) -> None:
    schedule = Schedule(lengths, batch_rows, 3.0, seed)
    for epoch in range(3):
        first = epoch * schedule.steps_per_epoch
        batches = [schedule.rows_at(step) for step in range(first, first + schedule.steps_per_epoch)]
        assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
        sizes = {len(batch) for batch in batches}
        assert max(sizes) <= batch_rows
        assert max(sizes) - min(sizes) <= 1
    assert schedule.steps == 3 * schedule.steps_per_epoch
    same = Schedule(lengths, batch_rows, 3.0, seed)
    assert [same.rows_at(step) for step in range(same.steps)] == [
        schedule.rows_at(step) for step in range(schedule.steps)
    ]


def test_epochs_differ_in_order_and_need_little_padding() -> None:
    lengths = tuple(20 + (index * 37) % 200 for index in range(256))
    schedule = Schedule(lengths, 8, 2.5, 0)
    assert schedule.steps == 80
    assert schedule.epoch_at(80) == 2.5
    epochs = [[schedule.rows_at(step) for step in range(start, start + 32)] for start in (0, 32)]
    assert epochs[0] != epochs[1]
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in epochs[0])
    assert padded < 1.15 * sum(lengths)


def test_learning_rate_warms_up_and_decays_but_never_reaches_zero() -> None:
    rates = [learning_rate_at(step, 100, 1e-2, 0.1) for step in range(100)]
    assert rates[9] == 1e-2 == max(rates)
    assert rates[:10] == sorted(rates[:10])
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert min(rates) > 0
    assert learning_rate_at(0, 1, 1e-2, 0.05) == 1e-2


def test_evaluations_are_spread_evenly_and_include_the_last_step() -> None:
    assert evaluation_steps(100, 4) == {25, 50, 75, 100}
    assert max(evaluation_steps(7, 3)) == 7
    assert evaluation_steps(2, 6) == {1, 2}

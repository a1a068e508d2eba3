"""The estimate of the time left, given once it is more than a guess."""

from hypothesis import given
from hypothesis import strategies as st

from engine.jobs.pace import seconds_left


def test_no_estimate_is_made_from_the_first_answers() -> None:
    assert seconds_left(20, 7, 1_539) is None
    assert seconds_left(20, 160, 1_440) == 180


def test_slow_work_is_estimated_after_a_minute() -> None:
    assert seconds_left(60, 1, 99) == 5_940


@given(elapsed_s=st.floats(0, 1e6), done=st.integers(0, 10_000), left=st.integers(0, 10_000))
def test_time_left_is_never_negative_and_zero_at_the_end(elapsed_s: float, done: int, left: int) -> None:
    found = seconds_left(elapsed_s, done, left)
    assert found is None or found >= 0
    if done and not left:
        assert found == 0

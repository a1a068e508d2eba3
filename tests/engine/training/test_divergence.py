"""What counts as a loss or a gradient that has blown up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.training.divergence import Recent


def after(*losses: float, norm: float = 0.5) -> Recent:
    recent = Recent()
    for loss in losses:
        recent = recent.followed_by(loss, norm)
    return recent


@pytest.mark.parametrize(
    ("loss", "norm", "fault"),
    [
        (0.9, 0.5, ""),
        (2.1, 0.5, ""),  # a hard batch
        (2.3, 0.5, "the loss rose from 0.3 to 2.3 nats per token"),
        (0.3, 40.0, ""),  # clipped, and not so much more than usual
        (0.3, 51.0, "the gradient norm rose from 0.5 to 51"),
    ],
)
def test_what_has_blown_up(loss: float, norm: float, fault: str) -> None:
    assert after(0.2, 0.3, 0.3, 0.4).fault(loss, norm, clipped_at=1.0) == fault


def test_little_is_no_ground_for_a_verdict() -> None:
    assert after(0.2, 0.3, 0.3).fault(1e6, 1e6, clipped_at=1.0) == ""


def test_steps_long_ago_do_not_count() -> None:
    assert after(*[9.0] * 20, *[0.1] * 16).fault(2.0, 0.5, clipped_at=1.0)


@given(st.lists(st.floats(0.01, 12.0), min_size=4, max_size=40), st.floats(0.0, 1.0))
def test_no_training_that_gets_better_is_stopped(losses: list[float], share: float) -> None:
    recent = Recent()
    for loss in sorted(losses, reverse=True):
        assert not recent.fault(loss * share, 9.9, clipped_at=1.0)
        recent = recent.followed_by(loss, 0.01)

"""When a loss or a gradient norm counts as diverged."""

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
        (0.3, 40.0, ""),  # clipped, but not far above the usual norm
        (0.3, 51.0, "the gradient norm rose from 0.5 to 51"),
    ],
)
def test_large_rise_of_loss_or_gradient_norm_is_a_fault(loss: float, norm: float, fault: str) -> None:
    assert after(0.2, 0.3, 0.3, 0.4).fault(loss, norm, clipped_at=1.0) == fault


def test_too_few_steps_report_no_fault() -> None:
    assert after(0.2, 0.3, 0.3).fault(1e6, 1e6, clipped_at=1.0) == ""


def test_old_steps_do_not_count() -> None:
    assert after(*[9.0] * 20, *[0.1] * 16).fault(2.0, 0.5, clipped_at=1.0)


@given(st.lists(st.floats(0.01, 12.0), min_size=4, max_size=40), st.floats(0.0, 1.0))
def test_falling_losses_report_no_fault(losses: list[float], share: float) -> None:
    recent = Recent()
    for loss in sorted(losses, reverse=True):
        assert not recent.fault(loss * share, 9.9, clipped_at=1.0)
        recent = recent.followed_by(loss, 0.01)

"""Which of several measured points is the best: of one run's curve, or of several runs. Pure; no model library."""

from collections.abc import Sequence

from engine.records.run import CurvePoint

QUESTIONS = 16  # that a validation pass asks, where there are so many
_RATE_TOLERANCE = 0.05


def best_point(points: Sequence[CurvePoint], asked: int) -> CurvePoint:
    """The point with the lowest validation KL among those whose all-rules rate is within 5 points of the best seen.

    With few `asked` questions a single answer is worth more than 5 points; one answer alone never rejects a point.
    Steps before the first are left out unless there are no others.
    """
    trained = [point for point in points if point.step > 0] or list(points)
    tolerance = max(_RATE_TOLERANCE, 1 / asked) + 1e-9
    best_rate = max(point.all_rules_rate for point in trained)
    close = [point for point in trained if point.all_rules_rate >= best_rate - tolerance]
    return min(close, key=lambda point: (point.validation_kl, point.step))

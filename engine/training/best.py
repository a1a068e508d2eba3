"""Which of several measured points is the best: of one run's curve, or of several runs. Pure; no model library."""

from collections.abc import Collection, Sequence

from engine.records.run import CurvePoint

_RATE_TOLERANCE = 0.05


def best_point(points: Sequence[CurvePoint], kept: Collection[int] | None = None) -> CurvePoint:
    """The point with the lowest validation KL among those whose all-rules rate is within 5 points of the best seen.

    With few sampled answers a single one is worth more than 5 points; one answer alone never rejects a point. Where
    not every point has a rate, the KL alone decides. Steps before the first are left out unless there are no others.

    `kept`: the steps whose weights there still are; one of these is chosen, held against all points. None: all are.
    """
    trained = [point for point in points if point.step > 0] or list(points)
    there = [point for point in trained if kept is None or point.step in kept]
    rates = [point.all_rules_rate for point in trained if point.all_rules_rate is not None]
    close = trained
    if len(rates) == len(trained):
        tolerance = max(_RATE_TOLERANCE, *(1 / max(1, point.asked) for point in trained)) + 1e-9
        least = max(rates) - tolerance
        close = [point for point, rate in zip(trained, rates, strict=True) if rate >= least]
    chosen = [point for point in there if point in close] or there or close
    return min(chosen, key=lambda point: (point.validation_kl, point.step))

"""The best of several measured points, of one run's curve or of several runs. Pure; no model library."""

from collections.abc import Collection, Sequence

from engine.records.run import CurvePoint

_RATE_TOLERANCE = 0.05


def best_point(points: Sequence[CurvePoint], kept: Collection[int] | None = None) -> CurvePoint:
    """Return the point with the lowest validation KL among those whose all-rules rate is within 5 points of the best.

    With few sampled answers, a single one is worth more than 5 points; one answer alone never rejects a point. Unless
    every point has a rate, the KL alone decides. The point before the first step counts only if there are no others.

    `kept`: the steps whose weights still exist; one of these is chosen, but compared with all points. None: all exist.
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


def points_without_improvement(points: Sequence[CurvePoint], begun_at: int) -> int:
    """Return how many points in a row, after step `begun_at`, were not the best, by rules and KL."""
    best = max((point.step for point in points if point.best), default=0)
    return sum(point.step > max(best, begun_at) for point in points)


def contenders(points: Sequence[CurvePoint]) -> frozenset[int]:
    """Return the steps of the best point and of those that can still replace it; later choices need no other weights.

    A later point with a much better rules rate can push the best one out of the tolerance. Then the lowest KL of the
    remaining points is chosen, so a contender has a better rules rate than every point with a lower KL. These are at
    most two steps if the rates are of at most 16 answers each: only so many rates lie within the tolerance.
    """
    found, most = set[int](), 1.0
    trained = [point for point in points if point.step > 0]
    rated = all(point.all_rules_rate is not None for point in trained)
    for point in sorted(points, key=lambda point: (point.validation_kl, point.step)):
        rate = point.all_rules_rate or 0.0
        if point.best or (found and rated and point.step > 0 and rate > most):
            found.add(point.step)
            most = rate
    return frozenset(found)

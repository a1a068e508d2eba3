"""The time left for long work, estimated from the time it took so far. Pure."""

_SHARE = 0.1  # rows of a batch end late and together: the first few answers seem ten times slower than the rest
_LONG_S = 60.0


def seconds_left(elapsed_s: float, done: int, left: int) -> float | None:
    """Return the seconds for `left` units after `done` took `elapsed_s`; None while that would be a guess."""
    if done <= 0 or (done < _SHARE * (done + left) and elapsed_s < _LONG_S):
        return None
    return round(elapsed_s / done * left, 1)

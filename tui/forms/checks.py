"""Checks for typed form values: each returns what is wrong with a value, or an empty string. Pure."""

import math
from collections.abc import Callable


def whole(least: int, most: int | None = None) -> Callable[[str], str]:
    """Return a check for a whole number of at least `least`, and at most `most` if given."""

    def check(value: str) -> str:
        # No count has more digits than this, and Python is slow to parse thousands of them.
        right = value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value)
        if right and (most is None or int(value) <= most):
            return ""
        return f"A whole number from {least} to {most:,}." if most is not None else f"A whole number, {least} or more."

    return check


def or_empty(check: Callable[[str], str]) -> Callable[[str], str]:
    """Return the same check for a field that may be left empty."""
    return lambda value: check(value) if value else ""


def number(least: float, most: float | None = None) -> Callable[[str], str]:
    """Return a check for a number of at least `least`, and at most `most` if given."""

    def check(value: str) -> str:
        try:
            given = float(value)
        except ValueError:
            given = math.nan
        if math.isfinite(given) and given >= least and (most is None or given <= most):
            return ""
        return f"A number from {least:g} to {most:g}." if most is not None else f"A number, {least:g} or more."

    return check

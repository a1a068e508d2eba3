"""Checks of what is typed into a form: each says what is wrong with a value, or nothing. Pure."""

import math
from collections.abc import Callable


def whole(least: int, most: int | None = None) -> Callable[[str], str]:
    """A check: a whole number from `least` on, to `most` where there is one."""

    def check(value: str) -> str:
        # More digits than any count has: Python takes its time to read thousands of them.
        right = value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value)
        if right and (most is None or int(value) <= most):
            return ""
        return f"A whole number from {least} to {most:,}." if most is not None else f"A whole number from {least}."

    return check


def or_empty(check: Callable[[str], str]) -> Callable[[str], str]:
    """The same check for a field that may be left empty."""
    return lambda value: check(value) if value else ""


def number(least: float, most: float | None = None) -> Callable[[str], str]:
    """A check: a number from `least` on, to `most` where there is one."""

    def check(value: str) -> str:
        try:
            given = float(value)
        except ValueError:
            given = math.nan
        if math.isfinite(given) and given >= least and (most is None or given <= most):
            return ""
        return f"A number from {least:g} to {most:g}." if most is not None else f"A number from {least:g}."

    return check

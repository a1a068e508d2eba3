"""Checks of what is typed into a form: each says what is wrong with a value, or nothing. Pure."""

from collections.abc import Callable


def whole(least: int, most: int) -> Callable[[str], str]:
    """A check: a whole number from `least` to `most`."""

    def check(value: str) -> str:
        right = value.isascii() and value.isdigit() and least <= int(value) <= most
        return "" if right else f"A whole number from {least} to {most:,}."

    return check


def number(least: float, most: float) -> Callable[[str], str]:
    """A check: a number from `least` to `most`."""

    def check(value: str) -> str:
        try:
            right = least <= float(value) <= most
        except ValueError:
            right = False
        return "" if right else f"A number from {least:g} to {most:g}."

    return check

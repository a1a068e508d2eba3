"""Numbers and long texts in sentences, the same for the command line and the app. Standard library only."""

import json
from collections.abc import Sequence

_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a mapping"}


def counted(number: float, thing: str, form: str = ",") -> str:
    """Return a number, written in the `form`, with its noun: `1 rule`, `1,200 questions`, `2.5 epochs`."""
    written = format(number, form)
    return f"{written} {thing}" + ("" if written == "1" else "s")


def numbered(thing: str, numbers: Sequence[int] | Sequence[str]) -> str:
    """Return a noun with the numbers of the things that are meant: `rule 5`, `rules 5, 6`."""
    return f"{thing}{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"


def kind_of_value(value: object) -> str:
    """Return what kind of value was found in the user's file, in plain words."""
    if value is None:
        return "nothing"
    return _KINDS.get(type(value), "something else")


def json_fault(error: json.JSONDecodeError) -> str:
    """Return what is wrong with a JSON text, for a sentence that goes on with “at” and the place."""
    return error.msg.removesuffix(" at")  # “Unterminated string starting at”


def duration(seconds: float) -> str:
    """Return a time left or taken, in at most two units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes} min {rest:02d} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def percent(share: float) -> str:
    """Return a share from 0 to 1 in whole per cent, with a space that no line breaks at."""
    return f"{100 * share:.0f}\u00a0%"


def passed_of(share: float | None, count: int) -> str:
    """Return how many of `count` answers pass, from their share: per cent of a few answers would say little."""
    return "–" if share is None else f"{round(share * count):,} of {count:,}"


def answers_pass(share: float | None, count: int) -> str:
    """Return the same to append to other figures: `, 15 of 16 answers pass`; empty if nothing was counted."""
    return "" if share is None else f", {passed_of(share, count)} answers pass"


def shortened(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text; if it was cut, it ends in `…`."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def in_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells under their header, in columns; an empty text if there are none."""
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in (header, *rows))
    return "\n".join(line.rstrip() for line in lines)


def size(megabytes: float) -> str:
    """Return an amount of memory or disk space, given in units of 1e6 bytes."""
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"

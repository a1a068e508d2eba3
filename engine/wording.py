"""Numbers and long texts in sentences, the same on the command line and on the screen. Standard library only."""

_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a mapping"}


def counted(number: float, thing: str, form: str = ",") -> str:
    """A number, written in the `form`, with its noun: `1 rule`, `1,200 questions`, `2.5 epochs`."""
    written = format(number, form)
    return f"{written} {thing}" + ("" if written == "1" else "s")


def kind_of_value(value: object) -> str:
    """What a value of somebody's file is, in their words."""
    if value is None:
        return "nothing"
    return _KINDS.get(type(value), "something else")


def duration(seconds: float) -> str:
    """A time left or taken, in two units at most."""
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


def rate(share: float | None) -> str:
    """A share in whole per cent; a dash where nothing was counted."""
    return "–" if share is None else f"{share:.0%}"


def rate_of(share: float | None, count: int) -> str:
    """A share of so many sampled answers: of few it says little, and that has to be read beside it."""
    return "–" if share is None else f"{share:.0%} of {count:,}"


def shortened(text: str, limit: int) -> str:
    """At most so many characters of a text that is told; where it was cut, it ends in `…`."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def size(megabytes: float) -> str:
    """An amount of memory or disk; of 1e6 bytes."""
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"

"""A rule's check in words, the same for the command line and the app. Pure."""

from collections.abc import Sequence

from engine.records.rule import Check
from engine.rules.language import language_name


def check_text(check: Check, most: int | None = 4) -> str:
    """Return a rule's check in words, with at most that many of its texts; None: all of them."""
    match check.kind:
        case "length":
            unit = check.unit if (check.max or check.min) != 1 else check.unit.removesuffix("s")
            if check.min is None or check.max is None:
                return f"at most {check.max} {unit}" if check.min is None else f"at least {check.min} {unit}"
            return f"{check.min} to {check.max} {unit}" if check.min != check.max else f"{check.min} {unit}"
        case "label":
            of = f"one of {_listed(check.labels, most)}" if check.labels else "a label"
            return f"{of}, equal to the question's label" if check.gold else of
        case "forbidden":
            return f"without {_listed(check.texts, most)}"
        case "pattern":
            return f"matches “{check.pattern}”"
        case "json":
            return "JSON that matches a schema" if check.schema else "JSON"
        case "language":
            return f"in {language_name(check.code)}"
        case _:
            if not check.text:
                return check.kind
            # A space at either end counts, so it is made visible.
            blanks = len(check.text) - len(check.text.lstrip(" ")), len(check.text) - len(check.text.rstrip(" "))
            shown = f"{'␣' * blanks[0]}{check.text.strip(' ')}{'␣' * blanks[1]}"
            return f"{check.kind.replace('_', ' ')} “{shown}”"


def _listed(texts: Sequence[str], most: int | None) -> str:
    shown = [f"“{text}”" for text in texts[:most]]
    more = len(texts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")

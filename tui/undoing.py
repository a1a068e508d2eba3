"""How undo is offered and reported: the same words on every page. Knows no page."""

from tui.keys import key_of

NOTHING_LEFT = "Nothing to undo."


def offer(action: str, there: str = "") -> str:
    """Say which key undoes what was just done, such as “u undoes it.”; `there`: where, such as “in the review”."""
    return f"{there[:1].upper()}{there[1:]}{', ' if there else ''}{key_of(action)} undoes it."


def undone(what: str) -> str:
    """Say what was undone."""
    return f"Undone: {what}."


def redone(what: str) -> str:
    """Say what was done again."""
    return f"Redone: {what}."

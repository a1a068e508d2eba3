"""What an action is, and the places that carry one. Pure data; knows no action."""

from dataclasses import dataclass
from typing import Literal

from textual.keys import key_to_character

from engine.records.station import StationName

PaneName = StationName | Literal["cost", "chat"]
# Parts of a pane that have keys of their own.
PartName = Literal[
    "rules", "versions", "trial", "proposals", "findings", "editing", "testing", "asking", "figures",
    "searching", "found", "words", "answers", "history", "differences", "preview", "twins",
]  # fmt: skip
Place = PaneName | PartName | Literal["everywhere", "workspace", "curate", "narrow", "jobs", "start", "form", "help"]

_SHORT = {
    "slash": "/",
    "minus": "-",
    "plus": "+",
    "underscore": "_",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "escape": "esc",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do: its keys, a word for the footer, a sentence for help."""

    id: str  # the carrier's method is `action_<id>`
    keys: str  # Textual's names, by comma
    label: str
    help: str
    footer: bool = False  # six at most on the screen
    shown: str = ""  # what people read; empty: the first key

    def __post_init__(self) -> None:
        """Tell the first key, where nothing else was said."""
        object.__setattr__(self, "shown", self.shown or as_read(self.keys.partition(",")[0]))


def as_read(keys: str) -> str:
    """Textual's names of keys as people read them."""
    return " ".join(map(_read, keys.split(",")))


def _read(key: str) -> str:
    modifiers, plus, last = key.rpartition("+")
    sign = key_to_character(last) or ""
    short = sign if sign.isprintable() and sign.strip() else _SHORT.get(last, last)
    return f"{modifiers}{plus}{short}".replace("ctrl+", "^")

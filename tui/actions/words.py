"""What an action is, and what a place is that has actions. Pure data; knows no specific action."""

from dataclasses import dataclass
from typing import Literal

from textual.keys import key_to_character

from engine.records.station import StationName

PaneName = StationName | Literal["cost", "chat"]
Place = PaneName | Literal[
    "rules", "versions", "trial", "proposals", "findings", "editing", "testing", "asking", "figures",
    "searching", "found", "words", "answers", "history", "differences", "preview", "twins",
    "everywhere", "workspace", "curate", "narrow", "correcting", "jobs", "start", "form", "help",
]  # fmt: skip

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
    """One thing the user can do: its keys, a label for the footer, a sentence for the help screen."""

    id: str  # the method of the widget that carries the place is `action_<id>`
    keys: str  # Textual's key names, separated by commas
    label: str
    help: str
    footer: bool = False  # the footer shows at most six
    shown: str = ""  # the key as shown to the user; empty: the first of `keys`

    def __post_init__(self) -> None:
        """Show the first key unless `shown` was given."""
        object.__setattr__(self, "shown", self.shown or as_read(self.keys.partition(",")[0]))

    @property
    def leaves(self) -> bool:
        """Whether this leaves its place; an id stays the same when the user chooses another key."""
        return self.id == "back" or "leave" in self.id


@dataclass(frozen=True, slots=True)
class Spot:
    """What is known of one place."""

    actions: tuple[Action, ...]
    over: Place | None = "everywhere"  # where a key is looked up that has no meaning here
    typed: bool = False  # text is typed here: letters only type, and no other place's keys are shown
    confirms: bool = False  # it waits for a yes or no: no other place's keys are shown
    title: str = ""  # as the page calls itself; empty: by its name


def as_read(keys: str) -> str:
    """Return Textual's key names as the user reads them."""
    return " ".join(map(_read, keys.split(",")))


def _read(key: str) -> str:
    modifiers, plus, last = key.rpartition("+")
    sign = key_to_character(last) or ""
    short = sign if sign.isprintable() and sign.strip() else _SHORT.get(last, last)
    return f"{modifiers}{plus}{short}".replace("ctrl+", "^")

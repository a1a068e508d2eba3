"""What an action is, and the places that carry one. Pure data; knows no action."""

from dataclasses import dataclass
from typing import Literal

from engine.records.station import StationName

PaneName = StationName | Literal["cost", "chat"]
# Parts of a pane that have keys of their own.
PartName = Literal[
    "rules", "versions", "trial", "proposals", "findings", "editing", "testing", "asking", "figures",
    "searching", "found", "words", "answers", "history", "differences", "preview",
]  # fmt: skip
Place = PaneName | PartName | Literal["everywhere", "workspace", "curate", "narrow", "jobs", "start", "form", "help"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do: its keys, a word for the footer, a sentence for help."""

    id: str  # the carrier's method is `action_<id>`
    keys: str  # Textual's names, by comma
    shown: str  # the keys as people read them
    label: str
    help: str
    footer: bool = False  # six at most on the screen

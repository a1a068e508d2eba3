"""The seven stations and their states: the order of tables, commands, panes and the status JSON."""

from dataclasses import dataclass
from typing import Literal

StationName = Literal["prompt", "questions", "examples", "dataset", "run", "evaluation", "release"]
STATIONS: tuple[StationName, ...] = (
    "prompt", "questions", "examples", "dataset", "run", "evaluation", "release",
)  # fmt: skip
StationState = Literal["empty", "ready", "running", "done", "stale", "failed"]


@dataclass(frozen=True, slots=True)
class Station:
    """The state of one station: `count` is its number of items, `note` a few words."""

    name: StationName
    state: StationState
    count: int
    note: str

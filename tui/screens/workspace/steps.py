"""The one thing that is to be done next at a station, as the key that does it and a word. Pure."""

from typing import TYPE_CHECKING

from engine.records.station import Station, StationName
from tui.actions import PANE_KEYS, PaneName

if TYPE_CHECKING:
    from tui.services.facts import Facts

_MADE_BY: dict[StationName, str] = {
    "prompt": "i writes one",
    "questions": "i imports some",
    "examples": "g asks the teacher",
    "dataset": "z freezes",
    "run": "t trains",
    "evaluation": "e measures",
    "release": "e exports",
}
_ANYWHERE = ("p ", "c ")  # keys of the workspace itself


def step_at(station: Station, facts: "Facts") -> str:
    """What is to be done at this station now; nothing where it waits for another, or has all that it needs."""
    if station.state == "running":
        return "p pauses, x ends"
    if station.state in ("stale", "failed"):
        return f"{_MADE_BY[station.name]} again" if station.name != "examples" else _MADE_BY["examples"]
    if station.name == "questions" and station.state == "ready" and station.count:
        return "S splits them"
    if station.state == "ready" or (station.state == "empty" and station.name == "prompt"):
        return _MADE_BY[station.name]
    if station.name == "prompt" and not facts.rules:
        return "R n writes a rule"
    if station.name == "examples" and (open_ones := facts.examples.undecided):
        return f"c reviews {open_ones:,}"
    return ""


def step_from(shown: PaneName, station: Station, facts: "Facts") -> str:
    """The same for who looks at `shown`: a key that holds at the station alone comes after the key that goes there."""
    step = step_at(station, facts)
    here = station.name == shown or step.startswith(_ANYWHERE)
    return step if here or not step else f"{PANE_KEYS[station.name]} {step}"


def next_step(facts: "Facts") -> str:
    """The first thing along the line that can be done now, or must be done again; nothing while a job works."""
    for station in facts.stations:
        if station.state == "running":
            return ""
        if station.state in ("failed", "stale", "ready") or (station.state == "empty" and station.name == "prompt"):
            return f"{PANE_KEYS[station.name]} {step_at(station, facts)}"
    return ""


def compared(facts: "Facts") -> str:
    """Which arms the chat compares before anybody chose: the prompted model with the newest run that has an adapter."""
    run = facts.run
    arms = ["prompted"] if facts.prompt is not None else []
    arms += [f"run {run.id}"] if run is not None and run.best_step > 0 else []
    teacher = facts.settings.teacher
    arms += [teacher.name] if teacher.kind == "endpoint" else []
    return " │ ".join([*arms, "unprompted"][:2]) if arms else ""

"""The one thing that is to be done next at a station, as the key that does it and a word. Pure."""

from typing import TYPE_CHECKING

from engine.records.station import Station, StationName
from tui.actions import PaneName
from tui.keys import key_of

if TYPE_CHECKING:
    from tui.services.facts import Facts

# The actions whose keys are pressed one after the other, and what they do.
_Step = tuple[tuple[str, ...], str]
_NOTHING: _Step = ((), "")
_MADE_BY: dict[StationName, _Step] = {
    "prompt": (("prompt.edit",), "writes one"),
    "questions": (("questions.bring",), "imports some"),
    "examples": (("examples.generate",), "generates"),
    "dataset": (("dataset.freeze",), "freezes"),
    "run": (("run.train",), "trains"),
    "evaluation": (("evaluation.evaluate",), "measures"),
    "release": (("release.export",), "exports"),
}


def step_from(shown: PaneName, station: Station, facts: "Facts") -> str:
    """What is to be done at this station now, for who looks at `shown`; nothing where it waits, or has all it needs.

    A key that holds at the station alone comes after the key that goes there.
    """
    return _told(station, *_step(station, facts), here=station.name == shown)


def next_step(facts: "Facts") -> str:
    """The first thing along the line that can be done now, or must be done again; nothing while a job works."""
    begun = any(station.count for station in facts.stations if station.name != "prompt")
    for station in facts.stations:
        if station.state == "running":
            return ""
        if station.state == "stale" and _update_brings(facts):
            return _told(station, ("workspace.update",), "updates", here=False)
        first = station.name == "prompt" and (station.state == "empty" or not begun)  # a prompt, and its rules
        if station.state in ("failed", "stale", "ready") or (first and _step(station, facts) != _NOTHING):
            return _told(station, *_step(station, facts), here=False)
    return ""


def _update_brings(facts: "Facts") -> bool:
    """Whether the prompt has changed since a dataset was frozen: an update redoes what that touches, and no more."""
    dataset, prompt = facts.dataset, facts.prompt
    return dataset is not None and prompt is not None and dataset.prompt_sha256 != prompt.sha256


def _step(station: Station, facts: "Facts") -> _Step:
    actions, words = _MADE_BY[station.name]
    job = facts.newest_job
    state = job.state if job is not None and job.stage == station.name else ""
    asked = facts.ending | facts.pausing
    if station.state == "running" and any(other.stage == station.name and other.id in asked for other in facts.jobs):
        return _NOTHING
    if state == "paused":
        return ("workspace.resume",), f"goes on, {key_of('workspace.stop')} ends"
    if station.state == "running" and job is not None and not state:  # the keys of a job steer the one that is watched
        return ("workspace.jobs",), "steers it"
    if station.state == "running":
        return ("workspace.pause",), f"pauses, {key_of('workspace.stop')} ends"
    if station.state == "failed" and state in ("failed", "lost", "stopped"):
        return ("workspace.resume",), "takes it up again"
    if station.state in ("stale", "failed"):
        return actions, f"{words} again" if station.name != "examples" else words
    if station.name == "questions" and station.state == "ready" and station.count:
        return ("questions.split",), "splits them"
    if station.state == "ready" or (station.state == "empty" and station.name == "prompt"):
        return actions, words
    if station.name == "prompt" and not facts.rules:
        return ("prompt.rules", "rules.add"), "writes a rule"
    if station.name == "examples" and (open_ones := facts.examples.undecided):
        return ("workspace.curate",), f"reviews {open_ones:,}"
    return _NOTHING


def _told(station: Station, actions: tuple[str, ...], words: str, *, here: bool) -> str:
    if not actions:
        return ""
    there = () if here or actions[0].startswith("workspace.") else (f"workspace.{station.name}",)
    return f"{key_of(*there, *actions)} {words}"


def compared(facts: "Facts") -> str:
    """Which arms the chat compares before anybody chose: the prompted model with the newest run that has an adapter."""
    arms = ["prompted"] if facts.prompt is not None else []
    arms += [f"run-{facts.trained_run}"] if facts.trained_run else []
    teacher = facts.settings.teacher
    arms += [teacher.name] if teacher.kind == "endpoint" else []
    return " │ ".join([*arms, "unprompted"][:2]) if arms else ""

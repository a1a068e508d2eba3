"""The next step at a station, as its key and a verb. Pure."""

from typing import TYPE_CHECKING

from engine.records.job import LIVE_STATES
from engine.records.station import Station, StationName
from tui.actions import PaneName
from tui.keys import key_of

if TYPE_CHECKING:
    from tui.services.facts import Facts

# The actions whose keys are pressed in sequence, and what they do.
_Step = tuple[tuple[str, ...], str]
_NOTHING: _Step = ((), "")
_MADE_BY: dict[StationName, _Step] = {
    "prompt": (("prompt.edit",), "write it"),
    "questions": (("questions.bring",), "import"),
    "examples": (("examples.generate",), "generate"),
    "dataset": (("dataset.freeze",), "freeze"),
    "run": (("run.train",), "train"),
    "evaluation": (("evaluation.evaluate",), "evaluate"),
    "release": (("release.export",), "export"),
}


def step_from(shown: PaneName, station: Station, facts: "Facts") -> str:
    """The next step at this station when looking at `shown`; empty if it has to wait or is complete.

    A key that only works at the station is preceded by the key that goes there.
    """
    if station.state == "stale" and station.name != next(each.name for each in facts.stations if each.state == "stale"):
        return ""  # what it is made from comes first
    return _key_text(station, *_step(station, facts), here=station.name == shown)


def next_step(facts: "Facts", shown: PaneName | None = None) -> str:
    """The first step along the stations that can be done now or must be redone; empty while a job is running.

    `shown`: the pane that names the step, whose own keys need no way there.
    """
    if any(station.state == "running" for station in facts.stations):
        return ""
    begun = any(station.count for station in facts.stations if station.name != "prompt")
    for station in facts.stations:
        more = station.name == "prompt" and (station.state == "empty" or not begun)  # a prompt, and its rules
        more |= station.name == "examples" and _examples_come_first(facts)
        if station.state in ("failed", "stale", "ready") or (more and _step(station, facts) != _NOTHING):
            return _key_text(station, *_step(station, facts), here=station.name == shown)
    return ""


def _examples_come_first(facts: "Facts") -> bool:
    """Whether answers are undecided, or all rejected, and the dataset still has to be frozen."""
    states, counts = {station.name: station.state for station in facts.stations}, facts.examples
    left = counts.undecided > 0 or (counts.total > 0 and not counts.accepted)
    return left and states.get("dataset") in ("empty", "ready", "stale")


def _step(station: Station, facts: "Facts") -> _Step:
    actions, words = _MADE_BY[station.name]
    job = facts.newest_job
    state = job.state if job is not None and job.stage == station.name else ""
    live = {other.id for other in facts.jobs if other.stage == station.name and other.state in LIVE_STATES}
    if station.state == "running" and (not live or live & facts.asked.keys()):  # a freeze is not a job
        return _NOTHING
    if state == "paused":
        return ("workspace.resume",), f"resume, {key_of('workspace.stop')} stop"
    if station.state == "running" and job is not None and not state:  # the job keys control the watched job
        return ("workspace.jobs",), "jobs"
    if station.state == "running":
        return ("workspace.pause",), f"pause, {key_of('workspace.stop')} stop"
    if station.state == "failed" and state in ("failed", "lost", "stopped"):
        return ("workspace.resume",), "resume"
    if station.name == "dataset" and _examples_come_first(facts):
        return _NOTHING
    if station.state == "stale" and facts.update_brings:
        return ("workspace.update",), "update"
    if station.state in ("stale", "failed"):
        return actions, f"{words} again" if station.name != "examples" else words
    if station.name == "questions" and station.state == "ready" and station.count:
        return ("questions.split",), "split"
    if station.state == "ready" or (station.state == "empty" and station.name == "prompt"):
        return actions, words
    if station.name == "prompt" and not facts.rules:
        return ("prompt.rules", "rules.add"), "add a rule"
    if station.name == "examples" and (open_ones := facts.examples.undecided):
        return ("workspace.curate",), f"review {open_ones:,}"
    if station.name == "examples" and facts.examples.total and not facts.examples.accepted:
        return actions, words
    return _NOTHING


def _key_text(station: Station, actions: tuple[str, ...], words: str, *, here: bool) -> str:
    if not actions:
        return ""
    there = () if here or actions[0].startswith("workspace.") else (f"workspace.{station.name}",)
    return f"{key_of(*there, *actions)} {words}"


def compared(facts: "Facts") -> str:
    """The arms the chat compares by default: the prompted model and the newest run with an adapter."""
    arms = ["prompted"] if facts.prompt is not None else []
    arms += [f"run-{facts.trained_run}"] if facts.trained_run else []
    teacher = facts.settings.teacher
    arms += [teacher.name] if teacher.kind == "endpoint" else []
    return " │ ".join([*arms, "unprompted"][:2]) if arms else ""

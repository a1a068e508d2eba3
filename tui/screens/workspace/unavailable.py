"""Which keys cannot do anything now, so that the footer hides them, and what others do now. Pure."""

from typing import TYPE_CHECKING

from engine.records.station import StationName
from tui.screens.workspace.job_keys import JobKey, answer_to, meant_job

if TYPE_CHECKING:
    from tui.actions import PaneName
    from tui.services.facts import Facts
    from tui.services.job_view import JobView

_NEEDED_BY: dict[StationName, tuple[str, ...]] = {
    "prompt": ("prompt.versions", "prompt.trial"),
    "examples": ("workspace.curate",),
    "run": ("run.compare",),
    "evaluation": ("evaluation.open", "evaluation.history"),
    "release": ("release.card",),
}
GOES_ON = "resume"
_KEYS: tuple[JobKey, ...] = ("pause", "resume")


def unavailable_actions(facts: "Facts | None", job: "JobView | None", pane: "PaneName") -> frozenset[str]:
    """The actions, by place and id, without an object: no job, or nothing at their station yet. `pane` is shown."""
    made = {station.name for station in facts.stations if station.count} if facts is not None else set()
    unavailable = {action for station, actions in _NEEDED_BY.items() if station not in made for action in actions}
    newest = facts.newest_job if facts is not None else None
    ending = facts is not None and newest is not None and newest.id in facts.ending
    unavailable |= {f"workspace.{key}" for key in _KEYS if _answer(key, facts, job, pane) != key}
    at_work = job.station if job is not None and job.live and job.kind != "serve" else None
    if at_work is None:
        unavailable.add("workspace.follow")
    if at_work != "run" or ending:
        unavailable |= {"run.keep", "run.pause"}
    return frozenset(unavailable)


def _answer(key: JobKey, facts: "Facts | None", job: "JobView | None", pane: "PaneName") -> JobKey | None:
    meant = meant_job(key, facts, job, pane)
    return answer_to(key, meant, facts.asked.get(meant.id, "") if facts is not None and meant is not None else "")[0]


def present_labels(facts: "Facts | None") -> dict[str, str]:
    """Current labels, by place and id, where the usual one would be wrong: pause resumes a job that pauses."""
    newest = facts.newest_job if facts is not None else None
    if facts is None or newest is None:
        return {}
    return {"run.pause": GOES_ON} if newest.state == "paused" or facts.asked.get(newest.id) == "pausing" else {}

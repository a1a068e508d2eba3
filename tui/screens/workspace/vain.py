"""Which keys would only be answered with «there is none»: the footer does not tell those. Pure."""

from typing import TYPE_CHECKING

from engine.records.station import STATIONS, StationName
from tui.screens.workspace.wishes import Asked, answer_to

if TYPE_CHECKING:
    from tui.panes.job import JobView
    from tui.services.facts import Facts

_NEEDS: dict[StationName, tuple[str, ...]] = {
    "prompt": ("prompt.versions", "prompt.trial"),
    "questions": (),
    "examples": ("workspace.curate",),
    "dataset": (),
    "run": ("run.compare",),
    "evaluation": ("evaluation.open", "evaluation.history"),
    "release": ("release.card",),
}
_ASKED: tuple[Asked, ...] = ("pause", "resume")


def vain_actions(facts: "Facts | None", job: "JobView | None") -> frozenset[str]:
    """The actions, by place and id, that nothing is there for: no job, or nothing at their station yet."""
    made = {station.name for station in facts.stations if station.count} if facts is not None else set()
    vain = {action for station in STATIONS if station not in made for action in _NEEDS[station]}
    newest = facts.newest_job if facts is not None else None
    vain |= {f"workspace.{asked}" for asked in _ASKED if answer_to(asked, newest)[0] != asked}
    works = job is not None and job.live and job.kind != "serve"
    if not works:
        vain.add("workspace.follow")
    if not works or job is None or job.station != "run":
        vain |= {"run.keep", "run.pause"}
    return frozenset(vain)

"""The header line: which project, what is running, and what it costs this machine."""

from typing import TYPE_CHECKING

from textual.content import Content

from tui.screens.workspace.state import WorkspaceState
from tui.widgets.lines import ACCENT, BAD, DIM, STRONG, WARN, duration, percent, shorten, spread
from tui.widgets.page import Page

if TYPE_CHECKING:
    from engine.records.job import Job
    from tui.panes.job import JobView

_MARKS = {
    "waiting": ("○", WARN),
    "running": ("●", ACCENT),
    "paused": ("‖", WARN),
    "done": ("✓", DIM),
    "stopped": ("■", WARN),
    "failed": ("✗", BAD),
    "lost": ("✗", BAD),
}


class Header(Page):
    """One line: the project at the left, the work at the right."""

    def show_state(self, state: WorkspaceState, project: str, width: int) -> None:
        """Draw it for a width in cells. `project`: its name, known before anything else is."""
        left = Content.assemble(("distill-tui", DIM), "   ", (shorten(project, 30), STRONG))
        job = state.facts.newest_job if state.facts else None
        rest = activity(job, state.job) if job else Content.styled("idle" if state.facts else "", DIM)
        others = state.facts.other_live_jobs if state.facts else 0
        if others:
            rest = Content.assemble(rest, (f"   +{others} more", WARN))
        if width >= 100:
            rest = Content.assemble(rest, (_meters(state), DIM))
        self.show([spread(left, rest, width)])


def activity(job: "Job", view: "JobView | None") -> Content:
    """What the newest job is doing, in a few words."""
    state = view.state if view is not None and view.job_id == job.id and view.state != "waiting" else job.state
    state = job.state if job.state not in ("waiting", "running", "paused") else state
    mark, style = _MARKS[state]
    words = [Content.assemble((mark, style), " ", job.kind)]
    if state == "running" and view is not None and view.progress is not None and view.progress.total:
        words.append(Content(f"{view.station} {percent(view.progress.done / view.progress.total)}"))
        if view.progress.seconds_left is not None:
            words.append(Content.styled(f"{duration(view.progress.seconds_left)} left", DIM))
    elif state != "running":
        words.append(Content.styled(state, style))
    if state == "waiting" and job.note:
        words.append(Content.styled(shorten(job.note, 40), DIM))
    return Content("   ").join(words)


def _meters(state: WorkspaceState) -> str:
    """The load of the running job and of the GPUs, as far as it is known."""
    parts: list[str] = []
    if state.gpu is not None:
        parts.append(f"gpu {state.gpu.busy_percent:.0f} %   {state.gpu.used_mb / 1000:.1f} GB")
    if state.load is not None:
        parts.append(f"cpu {state.load.cpu_percent:.0f} %   {state.load.rss_mb / 1000:.1f} GB")
    return "".join(f"    {part}" for part in parts)

"""The header line: the project, what is running, and the load on this machine."""

from typing import TYPE_CHECKING

from textual.content import Content

from engine.records.job import LIVE_STATES, state_word
from engine.wording import percent
from tui.panes.steps import next_step
from tui.screens.workspace.state import WorkspaceState
from tui.widgets.lines import ACCENT, DIM, ENDING, JOB_MARKS, STRONG, WARN, duration, justify, shorten
from tui.widgets.page import Page

if TYPE_CHECKING:
    from engine.records.job import Job
    from tui.services.facts import Facts
    from tui.services.job_view import JobView

NARROW_BELOW = 98  # cells of the line, as the screen breaks
_LEAST_NAME = 8  # cells
_FREEZING = Content.assemble(("●", ACCENT), " freezing")


class Header(Page):
    """One line: the project at the left, the running job at the right."""

    def show_state(self, state: WorkspaceState, project: str, width: int) -> None:
        """Draw it for a width in cells. `project`: its name, known before anything else."""
        job = state.facts.newest_job if state.facts else None
        if state.freezing and (job is None or job.state not in LIVE_STATES):
            rest = _FREEZING
        elif state.facts is not None and job is not None:
            rest = activity(job, state.job, state.facts.asked.get(job.id, ""))
            rest = Content("   ").join([rest, _FREEZING]) if state.freezing else rest
        else:
            rest = Content.styled("idle" if state.facts else "", DIM)
        if state.facts is not None:
            rest = Content.assemble(rest, *((f"   {words}", WARN) for words in _others(state.facts)))
        more = _meters(state)
        if width < NARROW_BELOW:  # there is no rail to show it
            step = next_step(facts) if (facts := state.facts_shown) is not None else ""
            more = f"   next: {step}" if step else ""
        whole = Content.assemble(rest, (more, DIM))
        # In a narrow window the running job takes precedence over the next step, and that over the full name.
        right = whole if _LEAST_NAME + 2 + whole.cell_length <= width else rest
        room = width - 2 - right.cell_length
        name = Content.styled(shorten(project, max(min(room, 30), _LEAST_NAME)), STRONG)
        titled = Content.assemble(("distill-tui", DIM), "   ", name)
        self.show([justify(titled if titled.cell_length <= room else name, right, width)])


def _others(facts: "Facts") -> list[str]:
    """The other live jobs: those waiting for the device, and the number of others."""
    others = [job for job in facts.jobs if job.state in LIVE_STATES and job is not facts.newest_job]
    waiting = [job.kind for job in others if job.state == "waiting"]
    parts = [f"○ {waiting[0]} waiting" if len(waiting) == 1 else f"○ {len(waiting)} jobs waiting"] if waiting else []
    return parts + ([f"+{len(others) - len(waiting)} more"] if len(others) > len(waiting) else [])


def activity(job: "Job", view: "JobView | None", asked: str = "") -> Content:
    """What the newest job is doing, in brief. `asked`: what it will do at its next safe point."""
    state = view.state if view is not None and view.job_id == job.id and view.state != "waiting" else job.state
    state = job.state if job.state not in ("waiting", "running", "paused") else state
    if state not in LIVE_STATES or (asked == "pausing" and state == "paused"):
        asked = ""
    mark, style = ENDING if asked == "stopping" else JOB_MARKS["paused" if asked else state]
    words = [Content.assemble((mark, style), " ", job.kind)]
    if asked:
        return Content("   ").join([*words, Content.styled(asked, style)])
    if state == "running" and view is not None and view.progress is not None and view.progress.total:
        words.append(Content(f"{view.station} {'preparing' if view.share is None else percent(view.share)}"))
        if view.seconds_left is not None:
            words.append(Content.styled(f"{duration(view.seconds_left)} left", DIM))
    elif state != "running":
        words.append(Content.styled(state_word(state), style))
    if state == "waiting" and job.note:
        words.append(Content.styled(shorten(job.note, 40), DIM))
    return Content("   ").join(words)


def _meters(state: WorkspaceState) -> str:
    """The load of the running job and of the GPUs, as far as known."""
    parts: list[str] = []
    if state.gpu is not None:
        parts.append(f"gpu {percent(state.gpu.busy_percent / 100)}   {state.gpu.used_mb / 1000:.1f} GB")
    if state.load is not None:
        parts.append(f"cpu {percent(state.load.cpu_percent / 100)}   {state.load.rss_mb / 1000:.1f} GB")
    return "".join(f"    {part}" for part in parts)

"""The notice above the pane: the project is being read or cannot be read, a job failed or answers an older prompt."""

from typing import TYPE_CHECKING

from textual.content import Content

from engine.clean import clean_text
from engine.errors import DistillError
from engine.records.job import TROUBLE
from tui.advice import in_app
from tui.keys import key_of
from tui.widgets.lines import BAD, DIM, STRONG, WARN, shorten, wrap
from tui.widgets.page import Page

if TYPE_CHECKING:
    from tui.screens.workspace.state import WorkspaceState
    from tui.services.facts import Facts
    from tui.services.job_view import JobView

_LINES = 5  # of a failed job's message


class Trouble(Page):
    """Takes no space if there is nothing to say."""

    _latest: "tuple[WorkspaceState, DistillError | None, int] | None" = None

    def show_trouble(self, state: "WorkspaceState", error: DistillError | None, screen_width: int) -> None:
        """Draw. `error`: why there are no facts, or no newer ones."""
        self._latest = state, error, screen_width
        lines = _lines(state, error, max(self.content_size.width or screen_width - 4, 20))
        self.display = bool(lines)
        self.show(lines)

    def on_resize(self) -> None:
        """Wrap at the new width: before the first layout it is only guessed."""
        if self._latest is not None:
            self.show_trouble(*self._latest)


def _lines(state: "WorkspaceState", error: DistillError | None, width: int) -> list[Content]:
    """The full reason at the station where a job failed; elsewhere the header's short form is enough."""
    facts = state.facts
    if error is not None:
        return _failure(error)
    if facts is None:
        return [Content.styled("Reading the project …", DIM)]
    job = facts.newest_job
    if state.job is not None and _answers_an_older_prompt(state.job, facts):
        text = f"! {state.job.kind} still answers an older version of the prompt; {key_of('workspace.stop')} stops it"
        return [Content.styled(shorten(text, width), WARN)]
    if job is None or job.state not in TROUBLE or state.shown != job.stage:
        return []
    resume, stop = key_of("workspace.resume"), key_of("workspace.stop")
    head = f"✗ {job.kind} {job.state_text}; {resume} resumes it, {stop} puts it aside"
    note = [Content(f"  {line}") for line in wrap(in_app(job.note), width - 2)[:_LINES]]
    return [Content.styled(head, f"{STRONG} {BAD}"), *note]


def _answers_an_older_prompt(job: "JobView", facts: "Facts") -> bool:
    current = facts.prompt.sha256 if facts.prompt is not None else ""
    return job.live and job.prompt_sha256 not in ("", current)


def _failure(error: DistillError) -> list[Content]:
    title = Content.styled(clean_text(error.title), f"{STRONG} {BAD}")
    return [Content("\n\n").join([title, Content(clean_text(error.message)), Content(clean_text(error.next))])]

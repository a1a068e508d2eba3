"""The examples pane as a widget: the answers as they arrive, and the form that asks for them."""

from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from engine.records.options import GenerateOptions
from tui.actions import PaneName, bindings
from tui.keys import key_of
from tui.panes.examples.drawing import draw, shown_streams
from tui.panes.examples.forms import answer_fields, outlook_text, outlook_trouble, wanted
from tui.panes.examples.state import WallState
from tui.panes.pane import Pane
from tui.panes.parts import working
from tui.panes.teacher_form import TeacherForm
from tui.panes.view import View
from tui.panes.wall import in_order
from tui.services.facts import Stream
from tui.services.generation import generation_outlook, options_again, read_options
from tui.services.store import StoreService
from tui.widgets.listing import Listing


class ExamplesPane(Pane):
    """The teacher's answers."""

    place: ClassVar[PaneName] = "examples"
    BINDINGS: ClassVar[list[BindingType]] = bindings("examples")

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = WallState()
        self._asking = TeacherForm(store, self, generation_outlook, outlook_text, outlook_trouble)

    def draw(self, view: View) -> list[Content]:
        """Draw the lines of this pane."""
        return draw(view, self.state)

    @property
    def choices(self) -> Listing | None:
        """Return the answers as listed."""
        if not (streams := self._streams):
            return None
        return Listing(
            self.state.place(streams), self._move, lambda: [f"{each.question}\n{each.text}" for each in streams]
        )

    def action_generate(self) -> None:
        """Let the teacher answer."""
        if self._asking.asking or not self._has_prompt() or self.facts is None:
            return
        if not self.facts.topics:
            self.notify(
                f"The teacher needs questions first: {key_of('workspace.questions')} shows how to add them.",
            )
        else:
            self.store.ask(read_options, self._ask, self)

    def action_retry(self) -> None:
        """Ask again only the questions that got no answer."""
        job = self.job
        if job is None or not job.unanswered:
            self.notify("Every question of this job has an answer.")
        elif job.live:
            self.notify(f"The job is still running; {key_of('examples.retry')} asks again once it has ended.")
        else:
            number, asks = job.job_id, tuple(sorted(job.unanswered))
            self.store.start(lambda project: options_again(project, number, asks), self)

    def action_next(self) -> None:
        """Show the next answer that is being written."""
        self.state.turn(self._streams)
        self.redraw()

    def action_back(self) -> None:
        """Follow whichever answer is being written; if none is, the cursor stays."""
        job = self.job
        if job is not None and job.live:
            self.state.follow()
            self.redraw()

    def action_copy(self) -> None:
        """Copy the answer shown in full."""
        if streams := self._streams:
            self.app.copy_to_clipboard(streams[self.state.place(streams)].text)
        else:
            self.notify("There is no answer yet.")

    def _ask(self, before: GenerateOptions) -> None:
        """Ask how the teacher should answer."""
        options_of, action = partial(wanted, before=before), "examples.generate"
        self._asking.ask("Let the teacher answer", (), before.teacher, options_of, action, answer_fields(before))

    def _move(self, steps: int) -> None:
        self.state.move(self._streams, steps)
        self.redraw()

    @property
    def _streams(self) -> list[Stream]:
        """Return the answers in the order they are drawn."""
        if self.facts is None:
            return []
        return in_order(shown_streams(working(self.job, "examples"), self.facts))

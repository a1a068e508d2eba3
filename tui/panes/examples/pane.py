"""The examples pane as a widget: the answers as they arrive, and the form that asks for them."""

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from engine.clean import clean_text
from engine.records.options import GenerateOptions
from tui.actions import PaneName, bindings
from tui.forms.opening import open_if_shown
from tui.forms.screen import FormScreen
from tui.keys import key_of
from tui.panes.examples.drawing import draw, shown_streams
from tui.panes.examples.forms import generate_form, wanted
from tui.panes.examples.state import WallState
from tui.panes.pane import Pane
from tui.panes.parts import working
from tui.panes.view import View
from tui.panes.wall import in_order
from tui.services.facts import Stream
from tui.services.generation import GenerationOutlook, GenerationService, OptionsRead, OutlookRead
from tui.services.store import StoreService
from tui.widgets.listing import Listing


class ExamplesPane(Pane):
    """The teacher's answers."""

    place: ClassVar[PaneName] = "examples"
    BINDINGS: ClassVar[list[BindingType]] = bindings("examples")

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = WallState()
        self._service = GenerationService(store, self)
        self._form: FormScreen | None = None
        self._outlooks: dict[GenerateOptions, GenerationOutlook | str] = {}  # while the form is open

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

    def on_options_read(self, message: OptionsRead) -> None:
        """Ask how the teacher should answer."""
        before = message.options
        form = generate_form(before, self._outlook)

        def answered(values: dict[str, str] | None) -> None:
            self._form = None
            options = wanted(values, before) if values is not None else None
            if values is not None and options is not None:
                self._service.start(options, values["key"])

        if open_if_shown(form, answered, self, "workspace.examples", "examples.generate"):
            self._form = form
            self._outlooks.clear()

    def on_outlook_read(self, message: OutlookRead) -> None:
        """Show the estimate, if the form is still open."""
        if isinstance(message.options, GenerateOptions) and isinstance(message.outlook, GenerationOutlook):
            self._outlooks[message.options] = message.outlook
        elif isinstance(message.options, GenerateOptions) and message.error is not None:
            self._outlooks[message.options] = clean_text(f"! {message.error}")
        if self._form is not None and self._form.is_mounted:
            self._form.tell()

    def action_generate(self) -> None:
        """Let the teacher answer."""
        if self._form is not None or not self._has_prompt() or self.facts is None:
            return
        if not self.facts.topics:
            self.notify(
                f"The teacher needs questions first: {key_of('workspace.questions')} shows how to add them.",
            )
        else:
            self._service.read_options()

    def action_retry(self) -> None:
        """Ask again only the questions that got no answer."""
        job = self.job
        if job is None or not job.unanswered:
            self.notify("Every question of this job has an answer.")
        elif job.live:
            self.notify(f"The job is still running; {key_of('examples.retry')} asks again once it has ended.")
        else:
            self._service.ask_again(job.job_id, tuple(sorted(job.unanswered)))

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

    def _outlook(self, options: GenerateOptions) -> GenerationOutlook | str:
        if options not in self._outlooks:
            self._outlooks[options] = "Estimating what it will take …"
            self._service.generation_outlook(options)
        return self._outlooks[options]

    def _move(self, steps: int) -> None:
        self.state.move(self._streams, steps)
        self.redraw()

    @property
    def _streams(self) -> list[Stream]:
        """Return the answers in the order they are drawn."""
        if self.facts is None:
            return []
        return in_order(shown_streams(working(self.job, "examples"), self.facts))

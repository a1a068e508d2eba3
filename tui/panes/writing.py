"""How a pane lets a teacher write questions: the form, the estimate while it is filled in, and the start.

The pane passes on the messages of `GenerationService`; it chooses the fields besides those of the teacher.
"""

from collections.abc import Callable, Sequence

from engine.clean import clean_text
from engine.records.options import SynthesizeOptions, TeacherSpec
from tui.forms.opening import open_if_shown
from tui.forms.screen import Field, FormScreen, Values
from tui.forms.teacher import key_text, key_trouble, money_text, teacher_fields
from tui.panes.pane import Pane
from tui.services.generation import GenerationService, OutlookRead, SynthesisOutlook
from tui.services.store import StoreService

OptionsOf = Callable[[Values], SynthesizeOptions | None]


class Writing:
    """Opens one form at a time, each of which starts a teacher."""

    def __init__(self, store: StoreService, pane: Pane) -> None:
        self._pane = pane
        self._service = GenerationService(store, pane)
        self._form: FormScreen | None = None
        self._outlooks: dict[SynthesizeOptions, SynthesisOutlook | str] = {}  # estimates, while the form is open

    @property
    def asking(self) -> bool:
        """Whether its form is open."""
        return self._form is not None

    def ask(
        self, title: str, fields: Sequence[Field], teacher: TeacherSpec, options_of: OptionsOf, action: str
    ) -> None:
        """Open the form: `fields`, then those of the teacher. `options_of` returns None while a field is wrong.

        `action` is the action that opens the form. It ends in the start of a job.
        """

        def aside(values: Values) -> str:
            found = self._outlook(options_of(values))
            if isinstance(found, str):
                return found
            lines = [
                f"{found.requests:,} requests for up to {found.questions:,} questions.",
                f"Tokens: ≈ {found.prompt_tokens:,} sent, ≈ {found.answer_tokens:,} generated.",
                money_text(found.money),
                key_text(found.key, values),
            ]
            return "\n".join(line for line in lines if line)

        def whole(values: Values) -> str:
            found = self._outlook(options_of(values))
            return "" if isinstance(found, str) else key_trouble(found.key, values)

        def answered(values: dict[str, str] | None) -> None:
            self._form = None
            options = options_of(values) if values is not None else None
            if values is not None and options is not None:
                self._service.start(options, values["key"])

        form = FormScreen(
            title, [*fields, *teacher_fields(teacher, lambda: form.values)], go="start", aside=aside, whole=whole
        )
        if open_if_shown(form, answered, self._pane, f"workspace.{self._pane.place}", action):
            self._form = form
            self._outlooks.clear()

    def take(self, message: OutlookRead) -> None:
        """Show the estimate, if the form is still open."""
        if isinstance(message.options, SynthesizeOptions):
            error = clean_text(f"! {message.error}") if message.error is not None else ""
            outlook = message.outlook if isinstance(message.outlook, SynthesisOutlook) else error
            self._outlooks[message.options] = outlook
        if self._form is not None and self._form.is_mounted:
            self._form.tell()

    def _outlook(self, options: SynthesizeOptions | None) -> SynthesisOutlook | str:
        if options is None:
            return "The estimate appears once all fields are valid."
        if options not in self._outlooks:
            self._outlooks[options] = "Estimating …"
            self._service.generation_outlook(options)
        return self._outlooks[options]

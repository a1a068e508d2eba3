"""How a pane starts a teacher: the form, the estimate while it is filled in, and the start."""

from collections.abc import Callable, Sequence
from typing import Generic

from engine.clean import clean_text
from engine.errors import DistillError, UsageError
from engine.records.options import TeacherSpec
from tui.forms.opening import open_if_shown
from tui.forms.screen import Field, FormScreen, Values
from tui.forms.teacher import teacher_fields
from tui.panes.pane import Pane
from tui.services.generation import Estimate, Options, Outlook, outlook_reader, ready_options
from tui.services.store import StoreService


class TeacherForm(Generic[Options, Outlook]):
    """Opens one form at a time, each of which starts a teacher."""

    def __init__(
        self,
        store: StoreService,
        pane: Pane,
        estimate: Estimate[Options, Outlook],
        text_of: Callable[[Outlook, Values], str],
        trouble_of: Callable[[Outlook, Values], str],
    ) -> None:
        """`estimate` says what the job will take, on the store's thread; `text_of` and `trouble_of` put into words
        what that is, and what it prevents.
        """
        self._store, self._pane = store, pane
        self._estimate, self._text_of, self._trouble_of = estimate, text_of, trouble_of
        self._form: FormScreen | None = None
        self._found: dict[Options, Outlook | DistillError | None] = {}  # while the form is open; None: not known yet

    @property
    def asking(self) -> bool:
        """Whether its form is open."""
        return self._form is not None

    def ask(
        self,
        title: str,
        fields: Sequence[Field],
        teacher: TeacherSpec,
        options_of: Callable[[Values], Options],
        action: str,
        more: Sequence[Field] = (),
    ) -> None:
        """Open the form: `fields`, those of the teacher, `more`. `options_of` needs every field to be valid.

        `action` is the action that opens the form. It ends in the start of a job.
        """

        def aside(values: Values) -> str:
            if (found := self._outlook(options_of(values))) is None:
                return "Estimating what it will take …"
            return clean_text(f"✗ {found}") if isinstance(found, DistillError) else self._text_of(found, values)

        def whole(values: Values) -> str:
            found = self._outlook(options_of(values))
            if isinstance(found, UsageError):  # such as a teacher that does not exist: what was typed is not lost
                return "The reason why this cannot start is below."
            return "" if found is None or isinstance(found, DistillError) else self._trouble_of(found, values)

        def answered(values: dict[str, str] | None) -> None:
            self._form = None
            if values is not None:
                options, key = options_of(values), values["key"]
                self._store.start(lambda project: ready_options(project, options, key), self._pane)

        every = [*fields, *teacher_fields(teacher, lambda: form.values), *more]
        pending = "The estimate appears once every field is valid."
        form = FormScreen(title, every, go="start", aside=aside, pending=pending, whole=whole)
        if open_if_shown(form, answered, self._pane, f"workspace.{self._pane.place}", action):
            self._form = form
            self._found.clear()

    def _outlook(self, options: Options) -> Outlook | DistillError | None:
        if options not in self._found:
            self._found[options] = None
            self._pane.run_worker(self._read(options))
        return self._found[options]

    async def _read(self, options: Options) -> None:
        try:
            self._found[options] = await self._store.answer(outlook_reader(options, self._estimate))
        except DistillError as error:
            self._found[options] = error
        if self._form is not None and self._form.is_mounted:
            self._form.tell()

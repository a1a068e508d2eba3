"""Updating a project after its prompt or rules changed: the plan is shown first, then a job carries it out.

The plan comes from the program's own command; the job is watched like any other, and continues if the app quits.
"""

from textual.screen import Screen

from engine.clean import clean_line
from engine.errors import DistillError
from engine.records.job import Job
from engine.records.options import UpdateOptions
from engine.updates.begin import begin_update
from tui.forms.checks import number, or_empty
from tui.forms.opening import open_if_shown
from tui.forms.screen import Field, FormScreen
from tui.services.program import Answer, Program, Result
from tui.services.store import JobStarted, StoreService

_LINES = 14  # of the plan, so that the form fits a small screen
_MOST_EPOCHS = 1000.0


class Updating:
    """The update of one project, asked for on `screen`."""

    def __init__(self, store: StoreService, screen: Screen[None]) -> None:
        self._screen = screen
        self._store = store
        self._program = Program(store.folder, store.home, screen)
        self._busy = False

    def plan(self) -> None:
        """Find out what the changes affect; then open the form."""
        if not self._busy:
            self._busy = True
            self._screen.notify("Finding out what the changes affect …", timeout=3)
            self._program.start("plan", ["update", "--plan"], self._planned)

    def _planned(self, result: Result) -> None:
        self._busy = False
        if isinstance(result, DistillError):
            self._screen.notify(str(result), severity="error")
        else:
            self._ask(result)

    def _ask(self, answer: Answer) -> None:
        def answered(values: dict[str, str] | None) -> None:
            if values is not None:
                options = UpdateOptions(epochs=float(values["epochs"]) if values["epochs"] else None)
                self._store.ask(lambda project: begin_update(project, options), self._begun, self._screen)

        check = or_empty(number(0.01, _MOST_EPOCHS))
        fields = [Field("epochs", "epochs", "", "a quarter of the previous run's", check=check)]
        words = plan_excerpt(answer)
        form = FormScreen("Update the project", fields, go="update", aside=lambda _values: words)
        open_if_shown(form, answered, self._screen, "workspace.update")

    def _begun(self, job: Job) -> None:
        self._screen.post_message(JobStarted(job))


def plan_excerpt(answer: Answer) -> str:
    """The plan printed by the command, in a few lines."""
    lines = [clean_line(line) for line in str(answer.get("text", "")).splitlines()]
    left = len(lines) - _LINES
    more = [f"and {left} more lines: distill-tui update --plan"] if left > 0 else []
    return "\n".join([*lines[:_LINES], *more])

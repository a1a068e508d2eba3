"""The release pane as a widget: asks for an export, shows the progress of its job and the releases."""

from time import time
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from engine.clean import clean_line
from engine.records.options import ExportOptions
from engine.records.release import Release
from tui.actions import PaneName, bindings
from tui.forms.screen import NOTHING, Field, FormScreen, Values
from tui.keys import key_of
from tui.panes.pane import Pane
from tui.panes.release.drawing import draw, size
from tui.panes.release.state import ReleaseState
from tui.panes.view import View
from tui.services.facts import Facts
from tui.services.release import GGUF_TYPES, KINDS, ReleasePage, possible_export, read_card, read_page
from tui.services.store import StoreFailed, StoreService
from tui.widgets.listing import Listing

_KEEP, _REPLACE = "keep it", "replace an older release"
_GGUF = (
    "The converter in that folder will be run: only name a folder that you trust.\n"
    "If llama-server is built there or installed, it is asked a few questions; a file that tokenises or answers "
    "differently from the student is not released.\n"
    "auto stores each number in 16 bits, q8_0 in 8."
)


class ReleasePane(Pane):
    """What can be exported, and what was."""

    place: ClassVar[PaneName] = "release"
    BINDINGS: ClassVar[list[BindingType]] = bindings("release")

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = ReleaseState()

    def depends_on(self, facts: Facts) -> tuple[object, ...]:
        """The newest run, the evaluation, the releases and the dataset."""
        evaluation = facts.evaluation.id if facts.evaluation is not None else 0
        run = (facts.run.id, facts.run.state, facts.run.best_step) if facts.run is not None else ()
        return (run, evaluation, facts.releases, facts.dataset)

    def read(self) -> None:
        """Read the runs and releases."""
        self.store.ask(read_page, self._take, self)

    def draw(self, view: View) -> list[Content]:
        """The lines of this pane."""
        return draw(view, self.state, time())

    @property
    def choices(self) -> Listing | None:
        """The releases; the model card and the runs to export have no rows to choose from."""
        state = self.state
        if state.card is not None or not state.releases:
            return None
        return Listing(
            state.cursor,
            self._move,
            lambda: [f"{each.release.kind} of run {each.release.run_id} {each.folder}" for each in state.releases],
        )

    @property
    def unavailable(self) -> frozenset[str]:
        """Closing the model card, unless it is shown; then, showing one."""
        return frozenset({"release.back" if self.state.card is None else "release.card"})

    def on_store_failed(self, message: StoreFailed) -> None:
        """Say why nothing is shown, if nothing was read yet."""
        self.state.failure = message.error
        self.redraw()

    def action_export(self) -> None:
        """Ask what to export, and where to."""
        if self.state.runs:
            self._ask()
        else:
            self.notify(f"No run has an adapter yet. Go to Run ({key_of('workspace.run')}) to train one.")

    def action_card(self) -> None:
        """Show the model card of the release under the cursor, or close it."""
        if self.state.card is not None:
            self.action_back()
        elif (released := self.state.under_cursor) is not None:
            number = released.release.id
            self.store.ask(lambda project: read_card(project, number), self._show_card, self)
        else:
            self.notify("There is no release yet.")

    def action_copy(self) -> None:
        """Copy the path of the release whose card is shown, else of the one under the cursor."""
        if (released := self.state.acted_on) is not None:
            self.app.copy_to_clipboard(released.folder)
        else:
            self.notify("There is no release yet.")

    def action_back(self) -> None:
        """Close the model card."""
        if self.state.card is not None:
            self.state.card = None
            self.scroll_home(animate=False)
            self.redraw()

    def _take(self, page: ReleasePage) -> None:
        self.state.take(page)
        self.redraw()

    def _show_card(self, card: tuple[Release, str]) -> None:
        self.state.card = card
        self.scroll_home(animate=False)
        self.redraw()

    def _move(self, steps: int) -> None:
        self.state.move(steps)
        self.redraw()

    def _ask(self, values: Values = NOTHING) -> None:
        fields = [
            Field("form", "form", choices=KINDS),
            Field("run", "run", choices=tuple(str(run.run_id) for run in self.state.runs)),
            Field("to", "to", hint="the project's releases folder", path=True),
            Field("taken", "if it exists", choices=(_KEEP, _REPLACE)),
        ]
        form = FormScreen("Export a run", fields, go="export", aside=self._meaning, values=values)
        self.app.push_screen(form, self._asked)

    def _asked(self, values: dict[str, str] | None) -> None:
        if values is not None and values["form"] == "gguf":
            self._ask_of_gguf(values)
        elif values is not None:
            self._export(values)

    def _ask_of_gguf(self, values: dict[str, str]) -> None:
        """Ask what only llama.cpp needs; leaving this form goes back to the first one."""

        def asked(gguf: dict[str, str] | None) -> None:
            if gguf is None:
                self._ask(values)
            else:
                self._export(values, gguf)

        hint = "its folder; default: $LLAMA_CPP, then PATH"
        fields = [
            Field("llama-cpp", "llama.cpp", hint=hint, path=True),
            Field("gguf-type", "number format", choices=GGUF_TYPES),
        ]
        form = FormScreen(f"Run {values['run']} as GGUF", fields, go="export", aside=lambda _values: _GGUF)
        self.app.push_screen(form, asked)

    def _meaning(self, values: Values) -> str:
        run = self.state.run(values["run"])
        kind = next(kind for kind in KINDS if kind == values["form"])
        if run is None:
            return ""
        verdicts = {"pass": "passed", "fail": "failed", "undecided": "was undecided"}
        verdict = f"Not evaluated: see Evaluation ({key_of('workspace.evaluation')})."
        if run.verdict is not None:
            verdict = f"Its evaluation {verdicts[run.verdict]}."
        count = run.bytes[kind]
        weight = f"About {size(count)}" if count is not None else "The base is downloaded first"
        stale = "" if run.newest_dataset else " Trained on an older dataset."
        where = clean_line(values["to"] or run.folders[kind])
        return f"Run {run.run_id}, step {run.best_step:,}. {verdict}{stale}\n{weight}, to {where}"

    def _export(self, values: Values, gguf: Values = NOTHING) -> None:
        self.state.card = None
        options = ExportOptions(
            int(values["run"]),
            next(kind for kind in KINDS if kind == values["form"]),
            values["to"],
            force=values["taken"] == _REPLACE,
            gguf_type=next((kind for kind in GGUF_TYPES if kind == gguf.get("gguf-type")), "auto"),
        )
        self.store.start(lambda project: possible_export(project, options, gguf.get("llama-cpp", "")), self)

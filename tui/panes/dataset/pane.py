"""The dataset pane as a widget: checks when the accepted answers change, asks, and freezes."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from engine.errors import DistillError
from engine.wording import counted
from tui.actions import PaneName, bindings
from tui.forms.screen import Field, FormScreen, Values
from tui.keys import key_of
from tui.panes.dataset.drawing import draw
from tui.panes.dataset.state import ALLOW, DatasetState
from tui.panes.pane import Pane
from tui.panes.view import View
from tui.services.dataset import FREEZE, DatasetPage, frozen_words, read_page, reject_refused
from tui.services.facts import Facts
from tui.services.program import Answer, Program, Result
from tui.services.store import StoreFailed, StoreService
from tui.undoing import offer
from tui.widgets.listing import Listing
from tui.widgets.placed import Freezing


class DatasetPane(Pane):
    """What is frozen for training, and what would be."""

    place: ClassVar[PaneName] = "dataset"
    BINDINGS: ClassVar[list[BindingType]] = bindings("dataset")

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = DatasetState()
        self._program = Program(store.folder, store.home, self)

    def depends_on(self, facts: Facts) -> tuple[object, ...]:
        """The accepted answers, and whatever else decides what would be frozen."""
        newest = facts.dataset.sha256 if facts.dataset is not None else ""
        return (facts.prompt_version, facts.examples, facts.questions, facts.settings.student_base, newest, facts.rules)

    def is_stale(self, facts: Facts) -> bool:
        """Not while answers arrive, when the accepted ones change all the time."""
        stale = super().is_stale(facts)
        answering = any(job.stage == "examples" and job.state == "running" for job in facts.jobs)
        self.state.waits = stale and answering and facts.examples.accepted > 0
        return stale and not self.state.waits

    def read(self) -> None:
        """Check the accepted answers; without any, read only the datasets so far."""
        if self.facts is not None and self.facts.examples.accepted:
            self._look()
        else:
            self._read()

    def draw(self, view: View) -> list[Content]:
        """Draw the lines of this pane."""
        return draw(view, self.state, monotonic())

    @property
    def choices(self) -> Listing | None:
        """Return the refused answers."""
        state = self.state
        if not state.refused:
            return None
        return Listing(
            state.cursor,
            self._move,
            lambda: [
                f"{each.example_id} {each.kind} {each.words} {state.questions.get(each.question_id, '')}"
                for each in state.refused
            ],
        )

    def on_store_failed(self, message: StoreFailed) -> None:
        """Show why nothing could be read, if nothing was read yet."""
        if self.state.preview is None:
            self.state.check_error = message.error
        self.redraw()

    def action_freeze(self) -> None:
        """Freeze; if answers are refused, ask what to do about them."""
        facts = self.facts
        if facts is None or self.state.freezing_since is not None:
            return
        if not facts.examples.accepted:
            self.notify(f"No answer is accepted yet: {key_of('workspace.curate')} reviews them.")
        elif self.state.refused:
            self._ask()
        else:
            self._freeze(allow_overlaps=False)

    def action_reject(self) -> None:
        """Reject the refused answer under the cursor."""
        refusal = self.state.under_cursor
        if refusal is None:
            self.notify("Nothing is refused.")
            return
        self._reject((refusal.example_id,), self._look)

    def action_look(self) -> None:
        """Check again."""
        self.state.failure = self.state.check_error = None
        self._look()
        self.redraw()

    def _move(self, steps: int) -> None:
        self.state.move(steps)
        self.redraw()

    def _ask(self) -> None:
        state = self.state
        count = len(state.refused)
        stands = "it is" if count == 1 else "they are"

        def meaning(values: Values) -> str:
            rejected = len(set(state.to_reject(values["way"])))
            repeats = "The student will learn to repeat these words of the prompt. " if values["way"] == ALLOW else ""
            what = f"{rejected:,} answer{' is' if rejected == 1 else 's are'} rejected first. " if rejected else ""
            return f"{repeats}{what}{offer('curate.undo', 'in the review') if what else ''}"

        def go(values: dict[str, str] | None) -> None:
            if values is None:
                return
            allow = values["way"] == ALLOW
            if ids := state.to_reject(values["way"]):
                self._reject(ids, lambda: self._freeze(allow_overlaps=allow))
            else:
                self._freeze(allow_overlaps=allow)

        self.app.push_screen(
            FormScreen(
                f"{counted(count, 'accepted answer')} cannot be frozen as {stands}",
                [Field("way", "what to do", choices=state.ways_out())],
                go="freeze", aside=meaning,
            ),
            go,
        )  # fmt: skip

    def _read(self, looked: Answer | None = None) -> None:
        self.store.ask(lambda project: read_page(project, looked), self._take, self)

    def _take(self, page: DatasetPage) -> None:
        self.state.take(page.history, page.preview, page.questions)
        self.redraw()

    def _reject(self, ids: Sequence[int], then: Callable[[], None]) -> None:
        def rejected(count: int) -> None:
            self.notify(f"Rejected {count}. {offer('curate.undo', 'in the review')}", timeout=4)
            self.store.read()
            then()

        self.store.ask(lambda project: reject_refused(project, ids), rejected, self)

    def _freeze(self, *, allow_overlaps: bool) -> None:
        self.state.freezing_since, self.state.note, self.state.failure = monotonic(), "", None
        frozen = self.facts.dataset if self.facts is not None else None
        others = frozen.others if frozen is not None else ()  # as in the last freeze
        taken = [word for other in others for word in ("--with", other.project)]
        words = ["curate", "freeze", *(["--allow-leaks"] if allow_overlaps else []), *taken]
        self._program.start(FREEZE, words, self._frozen, frozen_words, self._show_progress)
        self.post_message(Freezing(now=True))
        self.redraw()

    def _show_progress(self, words: str) -> None:
        self.state.note = words
        self.redraw()

    def _frozen(self, result: Result) -> None:
        self.state.freezing_since = None
        self.post_message(Freezing(now=False))
        if isinstance(result, DistillError):
            self.state.failure = result
        else:
            self.notify(frozen_words(result), timeout=5)
            self.store.read()
        self._look()
        self.redraw()

    def _look(self) -> None:
        if self.state.begin_look():
            self._program.start("look", ["curate", "freeze", "--dry-run"], self._looked)

    def _looked(self, result: Result) -> None:
        again = self.state.end_look()
        if isinstance(result, DistillError):
            self.state.check_error = result
            self._read()
        else:
            self.state.check_error = None
            self._read(result)
        if again:
            self._look()
        self.redraw()

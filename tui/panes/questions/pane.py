"""The questions pane as a widget: import, write, split, delete and undo, each with a preview or a question."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import BindingType

from engine.clean import clean_text
from engine.errors import DistillError
from engine.records.question import QuestionFilter
from engine.wording import counted
from tui.actions import PaneName, bindings
from tui.forms.confirm import confirm_form, is_confirmed
from tui.forms.opening import open_if_shown
from tui.forms.screen import NOTHING, Values
from tui.panes.questions import forms
from tui.panes.questions.list_pane import QuestionList
from tui.panes.writing import Writing
from tui.services.program import Answer, Program, Result
from tui.services.questions import (
    IMPORT,
    AnswersStand,
    Change,
    ChangeWork,
    Newest,
    Pairs,
    QuestionsPage,
    Step,
    add,
    find_newest,
    read_page,
    read_pairs,
    read_preview,
    read_splits,
    remove,
    stored_words,
    take_back,
    whole,
)
from tui.services.store import StoreFailed, StoreService
from tui.undoing import NOTHING_LEFT, offer

_TOPICS_OFFERED = 40
_SPLIT_SAID = "The questions are split."
_BRING, _SPLIT = ("workspace.questions", "questions.bring"), ("workspace.questions", "questions.split")


class QuestionsPane(QuestionList):
    """What users would send."""

    place: ClassVar[PaneName] = "questions"
    BINDINGS: ClassVar[list[BindingType]] = bindings("preview", "twins", "questions")

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self._program = Program(store.folder, store.home, self)
        self._writing = Writing(store, self)
        self._unsplit: tuple[int, ...] = ()  # the questions that the previewed split would change

    def on_store_failed(self, message: StoreFailed) -> None:
        """Clear the busy state; the workspace reports the error."""
        self.state.busy, self.state.failure = "", message.error
        self.redraw()

    def action_bring(self) -> None:
        """Ask what to import, then preview it."""
        if self._is_free:
            self._ask_import()

    def action_synthesize(self) -> None:
        """Ask how many questions the teacher should write."""
        if self._writing.asking or not self._has_prompt() or self.facts is None:
            return
        teacher = self.facts.settings.teacher
        fields = forms.synthesis_fields()
        self._writing.ask("Let the teacher write questions", fields, teacher, forms.synthesis, "questions.synthesize")

    def action_split(self) -> None:
        """Ask for the shares, then preview the split."""
        if self.state.all and self._is_free:
            self._ask_split()

    def action_add(self) -> None:
        """Ask for one question."""

        def answered(values: dict[str, str] | None) -> None:
            if values is not None:
                question = forms.added_question(values)
                self._change(lambda project: add(project, question))

        known = self.facts.topics if self.facts is not None else ()
        topics = [topic for topic, _ in known[:_TOPICS_OFFERED]]
        self.app.push_screen(forms.add_form(topics), answered)

    def action_twins(self) -> None:
        """Find near-duplicates."""
        if self.state.all and self._is_free:
            busy = "Looking for questions that repeat others …"
            self._start(busy, "twins", ["dedupe", "--dry-run"], self._found_twins)

    def action_remove(self) -> None:
        """Delete the marked questions, or the one under the cursor."""
        state, ranged = self.state, self.state.range
        if state.mode == "list" and ranged is not None:  # the range ends at the cursor
            self._read_ids(ranged.start, len(ranged), self._remove_range)
        elif (chosen := state.chosen) and state.mode in ("list", "question", "twins"):
            self._change(lambda project: remove(project, chosen))

    def action_undo(self) -> None:
        """Undo the last step; if there is none, ask whether to undo the last import."""
        if self.state.steps:
            self._change(lambda project: take_back(project, self.state.steps))
        else:
            self.store.ask(find_newest, self._ask_about_newest, self)

    def action_take(self) -> None:
        """Store the preview, list a topic, or show the whole question."""
        state = self.state
        if state.busy:
            return
        if state.mode == "list" and state.row is not None:
            state.mode = "question"
            self.scroll_home(animate=False, immediate=True)
            self.redraw()
        if state.mode == "topics":
            state.list_topic()
            self._read()
        elif state.mode == "import" and state.preview is not None and state.preview.added:
            busy = f"Storing {counted(state.preview.added, 'question')} …"
            self._start(busy, IMPORT, ["import", *state.words], self._imported, said=stored_words)
        elif state.mode == "split" and state.drawn is not None and state.drawn.drawn:
            split = ["split", *state.words]
            self._start("Drawing the splits …", "split", split, self._have_split, said=lambda _: _SPLIT_SAID)

    def _ask_import(self, values: Values = NOTHING, errors: Values = NOTHING) -> None:
        def answered(given: dict[str, str] | None) -> None:
            if given is not None:
                self._look(given)

        form = forms.import_form(values, errors)
        if not open_if_shown(form, answered, self, *_BRING) and errors:
            self.notify(errors["path"], severity="error")

    def _ask_split(self, values: Values = NOTHING, errors: Values = NOTHING) -> None:
        def answered(given: dict[str, str] | None) -> None:
            if given is not None:
                self._draw_splits(given)

        form = forms.split_form(values, errors)
        if not open_if_shown(form, answered, self, *_SPLIT) and errors:
            self.notify(errors["seed"], severity="error")

    def _ask_sure(self, title: str, words: str, ids: tuple[int, ...], action: str) -> None:
        def answered(given: dict[str, str] | None) -> None:
            if is_confirmed(given):
                self._change(lambda project: remove(project, ids, with_answers=True))

        open_if_shown(confirm_form(title, words, "delete them"), answered, self, "workspace.questions", action)

    @property
    def _is_free(self) -> bool:
        """Whether nothing is in progress; if something is, tell the user."""
        if self.state.busy:
            self.notify(f"Not finished yet: {self.state.busy}", timeout=3)
        return not self.state.busy

    def _start(
        self,
        busy: str,
        name: str,
        words: Sequence[str],
        then: Callable[[Answer], None],
        failed: Callable[[str], None] | None = None,
        said: Callable[[Answer], str] | None = None,
    ) -> None:
        """Start a command on the questions, and say `busy` meanwhile; without `failed`, a failure is only reported."""

        def ended(result: Result) -> None:
            self.state.busy = ""
            if not isinstance(result, DistillError):
                then(result)
            elif failed is not None:
                failed(clean_text(str(result)))
            else:
                self.notify(clean_text(str(result)), severity="error")
            self.redraw()

        self.state.busy = busy
        self._program.start(name, ["questions", *words], ended, said)
        self.redraw()

    def _look(self, given: Values) -> None:
        """Preview an import."""
        args = forms.import_args(given)
        self._start(
            f"Reading {clean_text(given['path'])} …",
            "preview",
            ["import", *args, "--dry-run"],
            lambda answer: self.state.show_import(read_preview(given["path"], answer), args),
            lambda words: self._ask_import(given, {"path": words}),
        )

    def _draw_splits(self, given: Values) -> None:
        """Preview the split of each topic."""
        args = forms.split_args(given)

        def drawn(answer: Answer) -> None:
            self.state.show_split(read_splits(answer), args)
            self.store.ask(lambda project: project.questions.ids(QuestionFilter("unsplit")), self._keep_unsplit, self)

        self._start(
            "Drawing by whole topics …",
            "draw",
            ["split", *args, "--dry-run"],
            drawn,
            lambda words: self._ask_split(given, {"seed": words}),
        )

    def _found_twins(self, answer: Answer) -> None:
        self.state.busy = "Reading the pairs …"
        self.store.ask(lambda project: read_pairs(project, answer), self._show_pairs, self)

    def _show_pairs(self, pairs: Pairs) -> None:
        self.state.busy = ""
        self.state.show_twins(pairs.shown, pairs.total)
        self.redraw()

    def _imported(self, answer: Answer) -> None:
        step = Step("importing", added_at=str(answer["at"])) if whole(answer, "added") else None
        self._done(step, f"{stored_words(answer)} {offer('questions.undo')}")

    def _have_split(self, _answer: Answer) -> None:
        self._done(Step("splitting", split_ids=self._unsplit), f"{_SPLIT_SAID} {offer('questions.undo')}")

    def _keep_unsplit(self, ids: tuple[int, ...]) -> None:
        self._unsplit = ids

    def _done(self, step: Step | None, notice: str) -> None:
        """Go back to the list after a command stored something, and read it again."""
        self.state.leave()
        self._change(lambda _project: Change(notice, step))

    def _change(self, work: ChangeWork) -> None:
        """Change the questions, and read the list again."""
        where, asked = self.state.where, self.state.ask()

        def changed(done: tuple[Change | AnswersStand, QuestionsPage]) -> None:
            self._tell(done[0])
            self._take(done[1], asked)

        self.store.ask(lambda project: (work(project), read_page(project, where)), changed, self)

    def _tell(self, change: Change | AnswersStand) -> None:
        """Report what was done, or ask before deleting questions that have answers."""
        if isinstance(change, AnswersStand):
            words = (
                f"{counted(len(change.ids), 'question')} with {counted(change.answers, 'answer')}: the answers are "
                "deleted too, and cannot be restored."
            )
            self._ask_sure("Delete answered questions?", words, change.ids, "questions.remove")
            return
        if change.step is not None:
            self.state.did(change.step)
            self.state.forget_pairs([removed.question.id for removed in change.step.removed])
        self.notify(change.notice, timeout=4)
        self.store.read()

    def _remove_range(self, ids: tuple[int, ...]) -> None:
        """Delete what is in an open range, and whatever else is marked."""
        self.state.keep_range(ids)
        self.action_remove()

    def _ask_about_newest(self, newest: Newest) -> None:
        """Ask before undoing an import of an earlier session."""
        if not newest.ids:
            self.notify(NOTHING_LEFT)
            return
        came = f" from {clean_text(newest.source)}" if newest.source else ""
        answers = f", with {counted(newest.answers, 'answer')}" if newest.answers else ""
        words = f"The newest {counted(len(newest.ids), 'question')}{came} would be deleted{answers}."
        self._ask_sure("Undo the last import?", words, newest.ids, "questions.undo")

"""The questions pane as a widget: import, write, split, delete and undo, each with a preview or a question."""

from typing import ClassVar

from textual.binding import BindingType

from engine.clean import clean_text
from engine.wording import counted
from tui.actions import PaneName, bindings
from tui.forms.confirm import confirm_form, is_confirmed
from tui.forms.opening import open_if_shown
from tui.forms.screen import NOTHING, Values
from tui.panes.questions import forms
from tui.panes.questions.list_pane import QuestionList
from tui.panes.writing import Writing
from tui.services.program import CommandEnded
from tui.services.questions import (
    DRAW,
    IMPORT,
    LOOK,
    SPLIT,
    SPLIT_WORDS,
    TWINS,
    AnswersStand,
    NewestFound,
    PairsRead,
    QuestionsRead,
    RangeRead,
    Step,
    UnsplitRead,
    read_preview,
    read_splits,
    stored_words,
    whole,
)
from tui.services.store import StoreFailed, StoreService
from tui.undoing import NOTHING_LEFT, offer

_TOPICS_OFFERED = 40
_BRING, _SPLIT = ("workspace.questions", "questions.bring"), ("workspace.questions", "questions.split")


class QuestionsPane(QuestionList):
    """What users would send."""

    place: ClassVar[PaneName] = "questions"
    BINDINGS: ClassVar[list[BindingType]] = bindings("preview", "twins", "questions")

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self._writing = Writing(store, self)
        self._looked_with: Values = {}  # the form whose preview is in progress: one at a time
        self._unsplit: tuple[int, ...] = ()  # the questions that the previewed split would change

    def on_questions_read(self, message: QuestionsRead) -> None:
        """Take in a window of rows, and report what was done."""
        if message.step is not None:
            self.state.did(message.step)
            self.state.forget_pairs([removed.question.id for removed in message.step.removed])
        if message.notice:
            self.notify(message.notice, timeout=4)
            self.store.read()
        self.state.take(message.page, message.asked)
        self.redraw()

    def on_range_read(self, message: RangeRead) -> None:
        """Delete what is in an open range, and whatever else is marked."""
        self.state.keep_range(message.ids)
        self.action_remove()

    def on_unsplit_read(self, message: UnsplitRead) -> None:
        """Remember what the previewed split would change."""
        self._unsplit = message.ids

    def on_pairs_read(self, message: PairsRead) -> None:
        """Show near-duplicates."""
        self.state.busy = ""
        self.state.show_twins(message.pairs, message.total)
        self.redraw()

    def on_answers_stand(self, message: AnswersStand) -> None:
        """Ask before deleting questions that have answers."""
        self._read()
        words = (
            f"{counted(len(message.ids), 'question')} with {counted(message.answers, 'answer')}: the answers are "
            "deleted too, and cannot be restored."
        )
        self._ask_sure("Delete answered questions?", words, message.ids, "questions.remove")

    def on_newest_found(self, message: NewestFound) -> None:
        """Ask before undoing an import of an earlier session."""
        if not message.ids:
            self.notify(NOTHING_LEFT)
            return
        came = f" from {clean_text(message.source)}" if message.source else ""
        answers = f", with {counted(message.answers, 'answer')}" if message.answers else ""
        words = f"The newest {counted(len(message.ids), 'question')}{came} would be deleted{answers}."
        self._ask_sure("Undo the last import?", words, message.ids, "questions.undo")

    def on_command_ended(self, message: CommandEnded) -> None:
        """Show what a command found, or report what it did."""
        self.state.busy = ""
        answer, error = message.answer, message.error
        if error is not None or answer is None:
            words = clean_text(str(error))
            if message.name == LOOK:
                self._ask_import(self._looked_with, {"path": words})
            elif message.name == DRAW:
                self._ask_split(self._looked_with, {"seed": words})
            else:
                self.notify(words, severity="error")
        elif message.name == LOOK:
            given = self._looked_with
            self.state.show_import(read_preview(given["path"], answer), forms.import_args(given))
        elif message.name == DRAW:
            self.state.show_split(read_splits(answer), forms.split_args(self._looked_with))
            self._service.read_unsplit()
        elif message.name == TWINS:
            self.state.busy = "Reading the pairs …"
            self._service.read_pairs(answer)
        elif message.name == IMPORT:
            step = Step("importing", added_at=str(answer["at"])) if whole(answer, "added") else None
            self._done(step, f"{stored_words(answer)} {offer('questions.undo')}")
        elif message.name == SPLIT:
            step = Step("splitting", split_ids=self._unsplit)
            self._done(step, f"{SPLIT_WORDS} {offer('questions.undo')}")
        self.redraw()

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
                self._service.add(self.state.where, self.state.ask(), forms.added_question(values))

        known = self.facts.topics if self.facts is not None else ()
        topics = [topic for topic, _ in known[:_TOPICS_OFFERED]]
        self.app.push_screen(forms.add_form(topics), answered)

    def action_twins(self) -> None:
        """Find near-duplicates."""
        if self.state.all and self._is_free:
            self._begin("Looking for questions that repeat others …")
            self._service.find_twins()

    def action_remove(self) -> None:
        """Delete the marked questions, or the one under the cursor."""
        state, ranged = self.state, self.state.range
        if state.mode == "list" and ranged is not None:  # the range ends at the cursor
            self._service.read_range(state.where.listed, ranged.start, len(ranged))
        elif (chosen := state.chosen) and state.mode in ("list", "question", "twins"):
            self._service.remove(state.where, state.ask(), chosen)

    def action_undo(self) -> None:
        """Undo the last step; if there is none, ask whether to undo the last import."""
        if self.state.steps:
            self._service.take_back(self.state.where, self.state.ask(), self.state.steps)
        else:
            self._service.find_newest()

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
            self._begin(f"Storing {counted(state.preview.added, 'question')} …")
            self._service.import_file(state.words)
        elif state.mode == "split" and state.drawn is not None and state.drawn.drawn:
            self._begin("Drawing the splits …")
            self._service.split(state.words)

    def _ask_import(self, values: Values = NOTHING, errors: Values = NOTHING) -> None:
        def answered(given: dict[str, str] | None) -> None:
            if given is not None:
                self._looked_with = given
                self._begin(f"Reading {clean_text(given['path'])} …")
                self._service.look_at_file(forms.import_args(given))

        form = forms.import_form(values, errors)
        if not open_if_shown(form, answered, self, *_BRING) and errors:
            self.notify(errors["path"], severity="error")

    def _ask_split(self, values: Values = NOTHING, errors: Values = NOTHING) -> None:
        def answered(given: dict[str, str] | None) -> None:
            if given is not None:
                self._looked_with = given
                self._begin("Drawing by whole topics …")
                self._service.draw_splits(forms.split_args(given))

        form = forms.split_form(values, errors)
        if not open_if_shown(form, answered, self, *_SPLIT) and errors:
            self.notify(errors["seed"], severity="error")

    def _ask_sure(self, title: str, words: str, ids: tuple[int, ...], action: str) -> None:
        def answered(given: dict[str, str] | None) -> None:
            if is_confirmed(given):
                self._service.remove(self.state.where, self.state.ask(), ids, with_answers=True)

        open_if_shown(confirm_form(title, words, "delete them"), answered, self, "workspace.questions", action)

    @property
    def _is_free(self) -> bool:
        """Whether nothing is in progress; if something is, tell the user."""
        if self.state.busy:
            self.notify(f"Not finished yet: {self.state.busy}", timeout=3)
        return not self.state.busy

    def _begin(self, busy: str) -> None:
        self.state.busy = busy
        self.redraw()

    def _done(self, step: Step | None, notice: str) -> None:
        """Go back to the list after a command stored something, and read it again."""
        self.state.leave()
        self._service.read(self.state.where, self.state.ask(), notice, step)

"""The prompt pane as a widget: what its keys open, the draft, and saving."""

from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from engine.errors import UsageError
from engine.records.prompt import Prompt
from tui.actions import PaneName, bindings
from tui.keys import key_of
from tui.panes.prompt.drawing import draw_title
from tui.panes.prompt.modes import ModesPane
from tui.panes.prompt.rules_view import RulesView
from tui.panes.prompt.text_view import ShowMode, TextView
from tui.services.facts import Facts
from tui.services.prompt import (
    Document,
    Draft,
    PassagesRead,
    PromptOvertaken,
    PromptSaved,
    keep_draft,
    read_document,
    read_draft,
    save_prompt,
)
from tui.services.store import StoreService
from tui.widgets.page import Page

if TYPE_CHECKING:
    from tui.forms.screen import Values
    from tui.panes.prompt.advice_views import TakeRules, UndoRules
    from tui.panes.prompt.editor import Editor


class PromptPane(ModesPane):
    """The prompt to distil, and its rules."""

    place: ClassVar[PaneName] = "prompt"
    BINDINGS: ClassVar[list[BindingType]] = bindings("prompt")

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self._saved: tuple[int, Prompt] | None = None  # what is stored while the facts still show that older version
        self._kept: str | None = None  # the draft as stored on disk
        self._field: Editor | None = None  # stays readable while the app quits

    def on_mount(self) -> None:
        """Restore the draft of the last session."""
        self.store.ask(read_draft, self._restore, self)

    def on_unmount(self) -> None:
        """Store what is typed and not saved, for the next session."""
        if self.state.mode == "editing" and self._field is not None:
            self.state.draft.keep(self._field.area.text, self._stored)
        self._keep_draft()

    def redraw(self) -> None:
        """Draw the title and the view that is shown."""
        if self._shown is None or not (self.is_mounted and self.display):
            return
        facts = self._shown.facts
        if self._saved is not None and self._saved[0] != facts.prompt_version:
            self._saved = None
        if self.state.mode == "reading":
            self._keep_draft()
            width = max(self.size.width - 3, 20)
            self.query_one("#prompt-title", Page).show(
                draw_title(facts, draft=self.state.draft.text is not None, width=width)
            )
            rules = self.query_one(RulesView)
            rules.display = facts.prompt is not None or bool(facts.rules)
            rules.show(facts.rules, facts.prompt)
            self._show_text(facts)
        elif self.state.mode == "editing":
            self._follow_stored(facts.prompt_version)
        elif self.state.mode == "trial":
            from tui.panes.prompt.trial_view import TrialView

            self.query_one(TrialView).show(facts.rules, facts.prompt_version)
        elif self.state.mode == "proposals":
            from tui.panes.prompt.advice_views import ProposalsView

            self.query_one(ProposalsView).show(facts.rules)

    def on_show_mode(self, message: ShowMode) -> None:
        """Show another view."""
        message.stop()
        if message.mode == "testing":
            self._open_own_answer()
        else:
            self._turn_to(message.mode)
            (self.query_one(RulesView) if message.part == "rules" else self.query_one(TextView)).focus()

    def on_take_rules(self, message: "TakeRules") -> None:
        """Store proposed rules."""
        message.stop()
        self.query_one(RulesView).put(message.rules)

    def on_undo_rules(self, message: "UndoRules") -> None:
        """Undo the last change to the rules."""
        message.stop()
        self.query_one(RulesView).action_undo()

    def on_passages_read(self, message: PassagesRead) -> None:
        """Mark where the rule comes from."""
        message.stop()
        if self._shown is not None:
            self._show_text(self._shown.facts)

    def on_prompt_saved(self, message: PromptSaved) -> None:
        """Report the saved version; there is no draft any more."""
        message.stop()
        self.state.draft.begun = message.version
        if self._shown is not None and self._shown.facts.prompt_version != message.version:
            self._saved = (self._shown.facts.prompt_version, message.prompt)
        self.app.notify(message.notice, timeout=6)
        self.store.read()
        if self.state.mode == "versions":
            self.action_versions()
        else:
            self._leave_editor()

    def on_prompt_overtaken(self, message: PromptOvertaken) -> None:
        """Report why the prompt was not saved; saving again then overrides the other version."""
        from engine.prompts.documents import prompt_to_markdown

        message.stop()
        if self.state.mode != "editing":  # it comes from the user's own editor
            self.state.draft.text = document = prompt_to_markdown(message.prompt)
            self._open_editor(document)
        self.state.draft.begun = message.version
        self._keep_draft()
        words = f"Not saved: version {message.version} was saved elsewhere while you were editing."
        way = key_of("editing.save" if self.state.mode == "editing" else "prompt.editor")
        once_more = f"{way} again makes yours the current one; {key_of('prompt.versions')}"
        self.app.notify(f"{words} {once_more} then shows the other.", severity="warning", timeout=10)
        self.store.read()

    def on_editor_save(self, message: "Editor.Save") -> None:
        """Save it as a new version."""
        message.stop()
        self._save(message.prompt)

    def on_editor_typed(self, message: "Editor.Typed") -> None:
        """Store the draft: the terminal may go away at any moment. A field left meanwhile has stored its own."""
        message.stop()
        if self.state.mode == "editing":
            self.state.draft.keep(self._editor.area.text, self._stored)
            self._keep_draft()

    def on_editor_leave(self, message: "Editor.Leave") -> None:
        """Leave the editor; unsaved text is kept as a draft."""
        message.stop()
        self.state.draft.keep(self._editor.area.text, self._stored)
        self._turn_to("reading")
        self.focus()

    def action_edit(self) -> None:
        """Edit the prompt here."""
        self._open_editor(self._document)

    def action_editor(self) -> None:
        """Edit the prompt in the user's editor; save the result, or open it here if it is not a valid prompt."""
        from engine.prompts.documents import parse_prompt
        from tui.terminal.editor import edit

        self._begin()
        if (text := edit(self.app, self._document, f"{key_of('prompt.edit')} edits the prompt here")) is None:
            return
        try:
            self._save(parse_prompt(text))
        except UsageError:
            self._open_editor(text)
            self.call_after_refresh(lambda: self._editor.action_save())

    def action_copy(self) -> None:
        """Copy the prompt."""
        if self._has_prompt():
            self.app.copy_to_clipboard(self._stored)

    def action_versions(self) -> None:
        """List the versions."""
        from tui.panes.prompt.versions_view import VersionsView

        view = self._made(VersionsView, lambda: VersionsView(self.store, self.state.versions))
        self._turn_to("versions")
        view.focus()
        view.read()

    def action_rules(self) -> None:
        """Go to the rules."""
        self._turn_to("reading")
        for rules in self.query(RulesView):
            rules.focus()

    def action_trial(self) -> None:
        """Ask which questions to try, and let the teacher answer them."""
        from tui.panes.prompt.import_forms import trial_form
        from tui.panes.prompt.trial_view import TrialView

        if not self._has_prompt() or self._shown is None:
            return
        if self.state.trial.number and self.state.mode != "trial":
            self._turn_to("trial")
            self.focus()
            return
        facts = self._shown.facts

        def begin(values: "Values | None") -> None:
            if values is None:
                return
            typed = [values["question"]] if values["question"] else []
            view = self._made(TrialView, lambda: TrialView(self.store, self.state.trial))
            self._turn_to("trial")
            view.focus()
            view.call_after_refresh(view.begin, typed, int(values.get("count", "1")), facts.settings.teacher.name)

        self.app.push_screen(trial_form(facts), begin)

    def action_bring(self) -> None:
        """Import a prompt from a file into the editor."""
        from tui.panes.prompt.import_forms import prompt_file_form

        def read(values: "Values | None") -> None:
            if values is not None:
                path = self.state.path = values["path"]
                self.store.ask(lambda _project: read_document(path), self._show_document, self)

        self.app.push_screen(prompt_file_form(self.state.path), read)

    def action_drop(self) -> None:
        """Discard the draft, or restore it."""
        notice = {
            True: f"Draft discarded; {key_of('prompt.drop')} restores it.",
            False: f"Draft restored; {key_of('prompt.edit')} continues it.",
            None: "There is no draft.",
        }
        self.app.notify(notice[self.state.draft.drop()])
        self.redraw()

    @property
    def _editor(self) -> "Editor":
        from tui.panes.prompt.editor import Editor

        return self.query_one(Editor)

    @property
    def _stored(self) -> str:
        """Return the current prompt as the document to edit."""
        from engine.prompts.documents import prompt_to_markdown

        shown = self._shown.facts.prompt if self._shown is not None else None
        prompt = self._saved[1] if self._saved is not None else shown
        return "" if prompt is None else prompt_to_markdown(prompt)

    @property
    def _document(self) -> str:
        """Return what editing starts with: the draft, else what is stored."""
        return self._stored if self.state.draft.text is None else self.state.draft.text

    def _show_text(self, facts: Facts) -> None:
        self.query_one(TextView).show(facts.prompt, self.state.rules.passages or ())

    def _open_editor(self, document: str, notice: str = "") -> None:
        from tui.panes.prompt.editor import Editor, can_hold

        if not can_hold(document):
            way = f"{key_of('prompt.editor')} opens your editor"
            self.app.notify(f"The text has unusual line breaks that this field would change: {way}.")
            return
        self._begin()
        if self.query(Editor):
            self._editor.begin(document, self._stored, notice)
        else:
            self._field = Editor(document, self._stored, notice)
            self.mount(self._field)
        self._turn_to("editing")
        self.call_after_refresh(self.focus)

    def _show_document(self, document: Document) -> None:
        """Show the content of a file in the editor, where it can be saved or left."""
        self._open_editor(document.text, document.notice)

    def _restore(self, draft: Draft) -> None:
        """Restore the stored draft, unless editing has started meanwhile."""
        if self._kept is None and self.state.draft.text is None and self.state.mode != "editing":
            self._kept, self.state.draft.text, self.state.draft.begun = draft.text, draft.text, draft.begun
            self.redraw()

    def _begin(self) -> None:
        if self._shown is not None:
            self.state.draft.begin(self._shown.facts.prompt_version, self._stored)

    def _follow_stored(self, version: int) -> None:
        """Show a version saved elsewhere in the open field, if nothing was typed there."""
        from tui.panes.prompt.editor import can_hold

        editor, stored = self._editor, self._stored
        self.state.draft.keep(editor.area.text, stored)
        if self.state.draft.text is None and can_hold(stored):
            self._begin()
            if editor.is_mounted and editor.area.text.strip() != stored.strip():
                editor.begin(stored, stored, f"Version {version} was saved elsewhere; this is its text.")

    def _open_own_answer(self) -> None:
        from tui.panes.prompt.own_answer import OwnAnswerView

        view = self._made(OwnAnswerView, lambda: OwnAnswerView(self.store, self.state.own_answer))
        self._turn_to("testing")
        self.call_after_refresh(view.begin)

    def _save(self, prompt: Prompt) -> None:
        facts = self._shown.facts if self._shown is not None else None
        if facts is not None and prompt == facts.prompt:
            self.app.notify(f"Nothing changed; version {facts.prompt_version} stays current.")
            self._leave_editor()
        else:
            begun = self.state.draft.begun
            self.store.post(lambda project: save_prompt(project, prompt, begun), self)

    def _keep_draft(self) -> None:
        if (draft := self.state.draft.text) != (before := self._kept):
            self._kept, begun = draft, self.state.draft.begun
            self.store.carry_out(lambda project: keep_draft(project, draft, begun, before), self)

    def _leave_editor(self) -> None:
        self.state.draft.text = None
        if self.state.mode == "editing":
            self._turn_to("reading")
            self.focus()

"""The prompt pane: which of its faces is shown, the draft, and what is saved.

A face is made when it is first wanted, for most are never wanted in a session.
"""

from typing import TYPE_CHECKING, ClassVar, Self

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.dom import DOMNode
from textual.widget import Widget

from engine.clean import clean_text
from engine.errors import UsageError
from engine.records.prompt import Prompt
from tui.actions import TYPED, PaneName, Place, bindings
from tui.panes.pane import Pane, ShowPane
from tui.panes.prompt.drawing import draw_title
from tui.panes.prompt.rules_face import RulesFace
from tui.panes.prompt.state import Face, PromptState
from tui.panes.prompt.text_face import ShowFace, TextFace
from tui.services.facts import Facts
from tui.services.prompt import DocumentRead, PassagesRead, PromptSaved, read_document, save_prompt
from tui.services.store import StoreService
from tui.widgets.listing import Listing
from tui.widgets.page import Page

if TYPE_CHECKING:
    from tui.panes.prompt.editor import Editor
    from tui.screens.form.screen import Values

# The faces beside the reading one: the place whose keys they carry, and their widget.
_OTHERS: dict[Face, tuple[Place, str]] = {
    "versions": ("versions", "#prompt-versions"),
    "trial": ("trial", "#prompt-trial"),
    "editing": ("editing", "#prompt-editor"),
    "testing": ("testing", "#prompt-testing"),
}


class PromptPane(Pane, can_focus=False):
    """What is distilled, and the rules that it makes."""

    place: ClassVar[PaneName] = "prompt"
    BINDINGS: ClassVar[list[BindingType]] = bindings("prompt")
    SCOPED_CSS = False  # the rules for a narrow screen begin at the screen
    DEFAULT_CSS = """
    PromptPane { padding: 0; overflow: hidden hidden; layout: vertical; }
    #prompt-title { height: auto; padding: 1 1 0 2; }
    #prompt-reading { height: 1fr; layout: horizontal; }
    #prompt-text { width: 3fr; padding: 0 0 0 2; }
    #prompt-rules { width: 2fr; padding: 0 0 0 1; border-left: solid $panel-lighten-1; }
    Screen.-narrow #prompt-title { padding: 0 1; }
    Screen.-narrow #prompt-reading { layout: vertical; }
    Screen.-narrow #prompt-text { width: 1fr; height: 3fr; padding: 0 0 0 1; }
    Screen.-narrow #prompt-rules {
        width: 1fr; height: 2fr; padding: 0 0 0 1; border-left: none; border-top: solid $panel-lighten-1;
    }
    """

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = PromptState()
        self._saved: tuple[int, Prompt] | None = None  # what is stored though facts still tell of that older version

    def compose(self) -> ComposeResult:
        """The reading face; the others come when they are wanted."""
        yield Page(id="prompt-title")
        with Container(id="prompt-reading"):
            yield TextFace()
            yield RulesFace(self.store, self.state.rules)

    def on_mount(self) -> None:
        """The keys are the text's."""
        if self.display:
            self.focus()

    def focus(self, scroll_visible: bool = True) -> Self:
        """Give the keys to the face that is shown."""
        if (inner := self._holder) is not None:
            inner.focus(scroll_visible)
        return self

    @property
    def carriers(self) -> list[tuple[Place, DOMNode]]:
        """The face's own keys before the pane's; while something is typed, no other keys hold."""
        own: list[tuple[Place, DOMNode]] = [(self.place, self)]
        if self.state.face == "reading":
            return [("rules", rules) for rules in self.query(RulesFace) if rules.has_focus] + own
        place, selector = _OTHERS[self.state.face]
        return [(place, self.query_one(selector)), *([] if place in TYPED else own)]

    @property
    def listing(self) -> Listing | None:
        """The text's: other faces tell their own."""
        return self.query_one(TextFace).listing

    def redraw(self) -> None:
        """Draw the title and the face that is shown."""
        if self._shown is None or not self.is_mounted:
            return
        facts = self._shown.facts
        if self._saved is not None and self._saved[0] != facts.prompt_version:
            self._saved = None
        if self.state.face == "reading":
            width = max(self.size.width - 3, 20)
            self.query_one("#prompt-title", Page).show(
                draw_title(facts, draft=self.state.draft.text is not None, width=width)
            )
            rules = self.query_one(RulesFace)
            rules.display = facts.prompt is not None or bool(facts.rules)
            rules.show(facts.rules, facts.prompt)
            self._show_text(facts)
        elif self.state.face == "trial":
            from tui.panes.prompt.trial_face import TrialFace

            self.query_one(TrialFace).show(facts.rules)

    def on_show_face(self, message: ShowFace) -> None:
        """A face asks for another one."""
        message.stop()
        if message.face == "testing":
            self._open_own_answer()
        else:
            self._turn_to(message.face)
            (self.query_one(RulesFace) if message.part == "rules" else self.query_one(TextFace)).focus()

    def on_passages_read(self, message: PassagesRead) -> None:
        """Mark where the rule comes from."""
        message.stop()
        if self._shown is not None:
            self._show_text(self._shown.facts)

    def on_prompt_saved(self, message: PromptSaved) -> None:
        """Say what became of it; the draft is stored now."""
        message.stop()
        if self._shown is not None and self._shown.facts.prompt_version != message.version:
            self._saved = (self._shown.facts.prompt_version, message.prompt)
        self.app.notify(clean_text(message.said), markup=False, timeout=6)
        self.store.read()
        if self.state.face == "versions":
            self.action_versions()
        else:
            self._leave_editor()

    def on_document_read(self, message: DocumentRead) -> None:
        """Show what a file holds in the field, where it can be saved or left."""
        message.stop()
        self._open_editor(message.document, said=message.said)

    def on_editor_save(self, message: "Editor.Save") -> None:
        """Save it as a new version."""
        message.stop()
        self._save(message.prompt)

    def on_editor_leave(self, message: "Editor.Leave") -> None:
        """Leave the field; what is not saved is kept."""
        message.stop()
        self.state.draft.keep(self._editor.area.text, self._stored)
        self._turn_to("reading")
        self.focus()

    def action_edit(self) -> None:
        """Change the prompt here."""
        self._open_editor(self._document)

    def action_editor(self) -> None:
        """Change the prompt in a real editor; what it gives back is saved, or opened here where it is no prompt."""
        from engine.prompts.documents import parse_prompt
        from tui.terminal.editor import edit

        if (text := edit(self.app, self._document, "i changes the prompt here")) is None:
            return
        try:
            self._save(parse_prompt(text))
        except UsageError:
            self._open_editor(text)
            self.call_after_refresh(lambda: self._editor.action_save())

    def action_versions(self) -> None:
        """List the versions."""
        from tui.panes.prompt.versions_face import VersionsFace

        if not self.query(VersionsFace):
            self.mount(VersionsFace(self.store, self.state.versions))
        face = self.query_one(VersionsFace)
        self._turn_to("versions")
        face.focus()
        face.read()

    def action_rules(self) -> None:
        """Go to the rules."""
        self._turn_to("reading")
        self.query_one(RulesFace).focus()

    def action_trial(self) -> None:
        """Ask for questions, and let the teacher answer them."""
        from tui.panes.prompt.asking import trial_form
        from tui.panes.prompt.trial_face import TrialFace

        if self._shown is None or self._shown.facts.prompt is None:
            self.app.notify("There is no prompt to try yet: i writes one.", markup=False)
            return
        if self.state.trial.number and self.state.face != "trial":
            self._turn_to("trial")
            self.focus()
            return
        facts = self._shown.facts

        def begin(values: "Values | None") -> None:
            if values is None:
                return
            typed = [values["question"]] if values["question"] else []
            if not self.query(TrialFace):
                self.mount(TrialFace(self.store, self.state.trial))
            face = self.query_one(TrialFace)
            self._turn_to("trial")
            face.focus()
            face.call_after_refresh(face.begin, typed, int(values.get("count", "1")), facts.settings.teacher.name)

        self.app.push_screen(trial_form(facts), begin)

    def action_bring(self) -> None:
        """Read a prompt from a file into the field."""
        from tui.panes.prompt.asking import prompt_file_form

        def read(values: "Values | None") -> None:
            if values is not None:
                path = self.state.path = values["path"]
                self.store.ask(lambda _project: read_document(path), self)

        self.app.push_screen(prompt_file_form(self.state.path), read)

    def action_drop(self) -> None:
        """Let go of the draft, or take it back."""
        said = {
            True: "The draft is dropped; D takes it back.",
            False: "The draft is back; i goes on with it.",
            None: "There is no draft.",
        }
        self.app.notify(said[self.state.draft.drop()], markup=False)
        self.redraw()

    def action_line_down(self) -> None:
        self.query_one(TextFace).action_line_down()

    def action_line_up(self) -> None:
        self.query_one(TextFace).action_line_up()

    def action_page_down(self) -> None:
        self.query_one(TextFace).action_page_down()

    def action_page_up(self) -> None:
        self.query_one(TextFace).action_page_up()

    def action_first(self) -> None:
        self.query_one(TextFace).action_first()

    def action_last(self) -> None:
        self.query_one(TextFace).action_last()

    @property
    def _editor(self) -> "Editor":
        from tui.panes.prompt.editor import Editor

        return self.query_one(Editor)

    @property
    def _stored(self) -> str:
        """The current prompt as the document that is edited."""
        from engine.prompts.documents import prompt_to_markdown

        shown = self._shown.facts.prompt if self._shown is not None else None
        prompt = self._saved[1] if self._saved is not None else shown
        return "" if prompt is None else prompt_to_markdown(prompt)

    @property
    def _document(self) -> str:
        """What editing begins with: the draft, else what is stored."""
        return self._stored if self.state.draft.text is None else self.state.draft.text

    @property
    def _holder(self) -> Widget | None:
        """What has the keys when the pane is shown."""
        place, selector = _OTHERS.get(self.state.face, (self.place, "#prompt-text"))
        return next(iter(self.query(f"{selector} DocumentArea" if place in TYPED else selector)), None)

    def _turn_to(self, face: Face) -> None:
        self.state.face = face
        if face != "reading":
            self.post_message(ShowPane(self.place))  # stay: a job that begins would take the keys elsewhere
        for part in self.query("#prompt-title, #prompt-reading"):
            part.display = face == "reading"
        for of, (_, selector) in _OTHERS.items():
            for part in self.query(selector):
                part.display = of == face
        self.redraw()

    def _show_text(self, facts: Facts) -> None:
        self.query_one(TextFace).show(facts.prompt, self.state.rules.passages or ())

    def _open_editor(self, document: str, said: str = "") -> None:
        from tui.panes.prompt.editor import Editor, can_hold

        if not can_hold(document):
            self.app.notify(
                "The text has rare line ends that this field would change: e opens your editor.", markup=False
            )
            return
        if self.query(Editor):
            self._editor.begin(document, self._stored, said)
        else:
            self.mount(Editor(document, self._stored, said))
        self._turn_to("editing")
        self.call_after_refresh(self.focus)

    def _open_own_answer(self) -> None:
        from tui.panes.prompt.own_answer import OwnAnswerFace

        if not self.query(OwnAnswerFace):
            self.mount(OwnAnswerFace(self.store, self.state.own_answer))
        self._turn_to("testing")
        self.call_after_refresh(self.query_one(OwnAnswerFace).begin)

    def _save(self, prompt: Prompt) -> None:
        facts = self._shown.facts if self._shown is not None else None
        if facts is not None and prompt == facts.prompt:
            self.app.notify(f"Nothing changed; version {facts.prompt_version} stands.", markup=False)
            self._leave_editor()
        else:
            self.store.ask(lambda project: save_prompt(project, prompt), self)

    def _leave_editor(self) -> None:
        self.state.draft.text = None
        if self.state.face == "editing":
            self._turn_to("reading")
            self.focus()

"""The rules beside the text: a cursor over them, forms that change them, and undo."""

from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from engine.clean import clean_line
from engine.records.prompt import Prompt
from engine.records.rule import Rule
from engine.rules.described import check_text
from tui.actions import Place, bindings
from tui.panes.prompt.drawing import draw_rules
from tui.panes.prompt.state import RulesState
from tui.panes.prompt.text_view import ShowMode
from tui.services.prompt import PassagesRead, read_passages
from tui.services.rules import RulesPut, RulesWork, import_rules, noted, put_rule, put_rules, remove_rule, take_back
from tui.services.store import StoreService
from tui.widgets.listing import Listing
from tui.widgets.page import Page
from tui.widgets.rows import within
from tui.widgets.scroller import Scroller

if TYPE_CHECKING:
    from tui.forms.screen import Values


class RulesView(Scroller):
    """The rules of the prompt; the one under the cursor is marked in the text."""

    place: ClassVar[Place] = "rules"
    BINDINGS: ClassVar[list[BindingType]] = bindings("rules")

    def __init__(self, store: StoreService, state: RulesState) -> None:
        super().__init__(id="prompt-rules")
        self._store = store
        self._state = state
        self._rules: tuple[Rule, ...] = ()
        self._prompt: Prompt | None = None

    @property
    def choices(self) -> Listing | None:
        """The rules."""
        return Listing(
            self._state.cursor,
            self._move,
            lambda: [f"{rule.id} {rule.text} {check_text(rule.check)}" for rule in self._rules],
        )

    def show(self, rules: tuple[Rule, ...], prompt: Prompt | None) -> None:
        """Draw the current rules."""
        self._rules, self._prompt = rules, prompt
        self.redraw()

    def redraw(self) -> None:
        """Draw at the current size, and look up the rule under the cursor in the text."""
        if (wanted := self._state.wants(self._rules, self._prompt)) is not None:
            rule, prompt = wanted
            self._store.post(lambda project: read_passages(project, rule, prompt), self)
        width = self.line_width
        lines = draw_rules(self._rules, self._state.cursor, self._state.passages, width, focused=self.has_focus)
        self.query_one(Page).show(lines)
        if self.has_focus:
            self.call_after_refresh(self.see_cursor)

    def on_resize(self) -> None:
        """Draw at the new size."""
        self.redraw()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Highlight the cursor when focused. While `on_focus` runs, this widget does not have the focus yet."""
        super().watch_has_focus(has_focus)
        self.redraw()

    def put(self, rules: tuple[Rule, ...]) -> None:
        """Store these rules beside the others, as one undoable change."""
        self._change(lambda project: put_rules(project, rules))

    def on_passages_read(self, message: PassagesRead) -> None:
        """Take in where the rule comes from; the pane marks it in the text."""
        if self._state.take(message.rule, message.prompt, message.passages):
            self.redraw()
        else:
            message.stop()

    def action_change(self) -> None:
        """Edit the rule under the cursor; if there is none, write the first one."""
        self._ask_for(self._state.rule(self._rules))

    def action_add(self) -> None:
        """Write a new rule."""
        self._ask_for(None)

    def action_remove(self) -> None:
        """Remove the rule under the cursor."""
        if (rule := self._state.rule(self._rules)) is not None:
            number = rule.id
            self._change(lambda project: remove_rule(project, number))

    def action_undo(self) -> None:
        """Undo the last change made here."""
        self._store.ask(lambda project: take_back(project, self._state.changes), self._notify, self)

    def action_test(self) -> None:
        """Test the rules on an answer."""
        self.post_message(ShowMode("testing"))

    def action_bring(self) -> None:
        """Read rules from a file."""
        from tui.panes.prompt.import_forms import REPLACE, rules_file_form

        def read(values: "Values | None") -> None:
            if values is not None:
                path, replace = values["path"], values["how"] == REPLACE
                self._state.path = path
                self._change(lambda project: import_rules(project, path, replace=replace))

        self.app.push_screen(rules_file_form(self._state.path), read)

    def action_back(self) -> None:
        """Go back to the prompt."""
        self.post_message(ShowMode("reading"))

    def _ask_for(self, rule: Rule | None) -> None:
        """Show two short forms: the demand and the kind of check, then the fields of the check. Escape in the second
        goes back to the first, with what was typed there.
        """
        from tui.forms.screen import FormScreen
        from tui.panes.prompt.forms import check_fields, kind_of, kind_text, problem_of, rule_fields, rule_from

        name = f"Rule {rule.id}" if rule is not None else "New rule"

        def go_on(first: "Values | None") -> None:
            if first is None:
                return
            fields = check_fields(kind_of(first), rule.check if rule is not None else None)

            def aside(second: "Values") -> str:
                if problem_of(rule, first, second):
                    return kind_text(first)
                return clean_line(f"An answer passes when it {_kept_when(rule_from(rule, first, second))}.")

            def put(second: "Values | None") -> None:
                if second is None:
                    begin(first)
                else:
                    made = rule_from(rule, first, second)
                    self._change(lambda project: put_rule(project, made))

            title = clean_line(f"{name}, 2 of 2: {first['kind']}")
            self.app.push_screen(
                FormScreen(title, fields, go="save", aside=aside, whole=lambda second: problem_of(rule, first, second)),
                put,
            )

        def begin(typed: "Values") -> None:
            form = FormScreen(f"{name}, 1 of 2", rule_fields(rule), go="continue", aside=kind_text, values=typed)
            self.app.push_screen(form, go_on)

        begin({})

    def _change(self, work: RulesWork) -> None:
        self._store.ask(noted(self._state.changes, work), self._changed, self)

    def _changed(self, put: RulesPut) -> None:
        new = {rule.id for rule in put.after} - {rule.id for rule in put.before}
        if new:
            self._state.cursor = next(place for place, rule in enumerate(put.after) if rule.id in new)
        self._notify(put.notice)

    def _move(self, steps: int) -> None:
        self._state.cursor = within(self._state.cursor + steps, len(self._rules))
        self.redraw()

    def _notify(self, words: str) -> None:
        self.app.notify(words, timeout=4)
        self._store.read()


def _kept_when(rule: Rule) -> str:
    words = check_text(rule.check)
    verbs = {
        "length": "has ",
        "label": "names ",
        "forbidden": "is ",
        "json": "is ",
        "language": "is ",
        "rubric": "meets the ",
    }
    return f"{verbs.get(rule.check.kind, '')}{words}"

"""Shows every key of a place over what was on the screen. Knows only the action table."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import ACTIONS, PANES, Place
from tui.keys import key_of, keys_of, told
from tui.widgets.lines import ACCENT, DIM, STRONG, fit, wrap

_KEYS_WIDTH = 14
_SENTENCE_WIDTH = 58


class HelpScreen(ModalScreen[None]):
    """The keys that hold where the person is."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll {
        width: 80; max-width: 100%; height: auto; max-height: 100%; padding: 1 2; background: $surface;
        border: round $panel-lighten-1; scrollbar-size-vertical: 1;
    }
    HelpScreen Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,f1,enter", "dismiss", "close", show=False)]

    def __init__(self, *places: Place) -> None:
        super().__init__()
        self._places = places

    def compose(self) -> ComposeResult:
        """One line an action."""
        with VerticalScroll():
            yield Static(help_text(*self._places))


def help_text(*places: Place) -> Content:
    """The keys of these places and of everywhere with their sentences, the nearest place first."""
    lines: list[Content] = []
    for place in (*places, "everywhere"):
        rows = [(keys_of(f"{place}.{action.id}"), told(action.help)) for action in ACTIONS[place]]
        if place == "workspace":
            first, last = (key_of(f"workspace.{pane}") for pane in (PANES[0], PANES[-1]))
            rows.insert(0, (f"{first} … {last}", "Show that pane."))
        lines += [Content.styled(place.capitalize(), STRONG), *(_row(*row) for row in rows), Content("")]
    lines.append(Content.styled("^p opens the palette.  esc closes this.", DIM))
    return Content("\n").join(lines)


def _row(keys: str, sentence: str) -> Content:
    first, *more = wrap(sentence, _SENTENCE_WIDTH)
    row = Content.assemble((fit(keys, _KEYS_WIDTH), ACCENT), first)
    return Content("\n").join([row, *(Content(" " * _KEYS_WIDTH + line) for line in more)])

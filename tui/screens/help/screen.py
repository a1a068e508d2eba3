"""Shows every key of a place over what was on the screen. Knows only the action table."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import PANE_KEYS, Place, as_read, help_actions
from tui.widgets.lines import ACCENT, DIM, STRONG


class HelpScreen(ModalScreen[None]):
    """The keys that hold where the person is."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll {
        width: 72; max-width: 100%; height: auto; max-height: 100%; padding: 1 2; background: $surface;
        border: round $panel-lighten-1;
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
    """The keys of these places with their sentences, the nearest place first."""
    rows = [(as_read(action.keys), action.help) for action in help_actions(*places)]
    if "workspace" in places:
        first, *_, last = PANE_KEYS.values()
        rows.append((f"{first} … {last}", "Show that pane."))
    lines = [Content.styled("Keys", STRONG), Content("")]
    lines += [Content.assemble((f"{keys:<12}", ACCENT), sentence) for keys, sentence in rows]
    lines += [Content(""), Content.styled("^p opens the palette.  esc closes this.", DIM)]
    return Content("\n").join(lines)

"""Shows every key of a place over what was on the screen. Knows only the action table."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import STATION_KEYS, Place, help_actions
from tui.widgets.lines import ACCENT, DIM, STRONG


class HelpScreen(ModalScreen[None]):
    """The keys of one place."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll {
        width: 72; max-width: 100%; height: auto; max-height: 100%; padding: 1 2; background: $surface;
        border: round $panel-lighten-1;
    }
    HelpScreen Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,f1,enter", "dismiss", "close", show=False)]

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place: Place = place

    def compose(self) -> ComposeResult:
        """One line an action."""
        with VerticalScroll():
            yield Static(help_text(self._place))


def help_text(place: Place) -> Content:
    """The keys of a place with their sentences."""
    rows = [(action.keys, action.help) for action in help_actions(place)]
    if place == "workspace":
        rows.insert(0, (f"{STATION_KEYS[0]} … {STATION_KEYS[-1]}", "Show that station."))
    names = {"question_mark": "?", "slash": "/", "pagedown": "PgDn", "pageup": "PgUp", "ctrl+": "^"}
    lines = [Content.styled("Keys", STRONG), Content("")]
    for keys, sentence in rows:
        shown = keys.replace(",", " ")
        for name, short in names.items():
            shown = shown.replace(name, short)
        lines.append(Content.assemble((f"{shown:<10}", ACCENT), sentence))
    lines += [Content(""), Content.styled("^p opens the palette.  esc closes this.", DIM)]
    return Content("\n").join(lines)

"""Shows every key of a place over the current screen. Knows only the action table."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.dom import DOMNode

from tui.actions import ACTIONS, PANES, PLACES, TEXT_PLACES, Place, bindings
from tui.keys import key_of, key_while_typing, keys_of, keys_taken, with_keys
from tui.widgets.lines import ACCENT, STRONG, fit, wrap
from tui.widgets.page import Page
from tui.widgets.placed import OverScreen
from tui.widgets.scroller import Scroller

_KEYS_WIDTH = 14
_SENTENCE_WIDTH = 58
_BOX, _AROUND = 80, 7  # cells: the whole, of which border, padding and scrollbar


class Keys(Scroller):
    """The lines of the help, which handle its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("help"),
        Binding("question_mark,f1", "leave", show=False, id="everywhere.help"),  # the same key closes it
    ]

    def action_leave(self) -> None:
        """Close the help."""
        self.screen.dismiss()


class HelpScreen(OverScreen[None]):
    """The keys available on the current screen."""

    place: ClassVar[Place] = "help"
    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > Scroller {
        width: 80; max-width: 100%; height: auto; max-height: 100%; padding: 1 2; background: $surface;
        border: round $panel-lighten-1; border-subtitle-color: $foreground;
    }
    """

    def __init__(self, *places: Place) -> None:
        super().__init__()
        self._places = places

    def compose(self) -> ComposeResult:
        """One line per action."""
        yield Keys()

    def on_mount(self) -> None:
        """Show the keys."""
        self._tell()

    def on_resize(self) -> None:
        """Wrap at the new width."""
        self._tell()

    def _tell(self) -> None:
        width = min(_BOX, self.app.size.width) - _AROUND
        self.query_one(Page).show([help_text(*self._places, width=width)])
        # On the border, so that it is in sight however long the help is.
        self.query_one(Keys).border_subtitle = Content.assemble((key_of("help.leave"), ACCENT), " closes this")

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """The lines themselves scroll."""
        return [(self.place, self.query_one(Keys))]


def help_text(*places: Place, width: int = _BOX - _AROUND) -> Content:
    """The keys of these places and of everywhere with their help, nearest place first.

    While text is typed, letters only type: shown are the field's own keys, and those of everywhere that are not
    letters. A key that a nearer place overrides is shown only there.
    """
    lines: list[Content] = []
    typed = bool(places) and places[0] in TEXT_PLACES
    around: tuple[Place, ...] = (*(places[:1] if typed else places), "everywhere")
    for number, place in enumerate(around):
        taken = keys_taken(*around[:number])
        rows = [
            (key_while_typing(name) if typed and number else keys, with_keys(action.help))
            for action in ACTIONS[place]
            for name in [f"{place}.{action.id}"]
            if (keys := keys_of(name, taken))
        ]
        if place == "workspace":
            first, last = (key_of(f"workspace.{pane}") for pane in (PANES[0], PANES[-1]))
            rows.insert(0, (f"{first} … {last}", "Go to that pane."))
        lines += [
            Content.styled(PLACES[place].title or place.capitalize(), STRONG),
            *(_row(*row, width) for row in rows),
            Content(""),
        ]
    return Content("\n").join(lines[:-1])


def _row(keys: str, sentence: str, width: int) -> Content:
    first, *more = wrap(sentence, min(_SENTENCE_WIDTH, width - _KEYS_WIDTH))
    row = Content.assemble((fit(keys, _KEYS_WIDTH), ACCENT), first)
    return Content("\n").join([row, *(Content(" " * _KEYS_WIDTH + line) for line in more)])

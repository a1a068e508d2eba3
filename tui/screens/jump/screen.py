"""Puts letters on everything on the screen that can be selected; typing them selects it.

Knows nothing of what it labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Key
from textual.geometry import Offset
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.widgets.listing import ROW, go_to, holder
from tui.widgets.page import Page
from tui.widgets.placed import LeftOnce

LETTERS = "asdfghjklqwertyuiopzxcvbnm"


@dataclass(frozen=True, slots=True)
class Target:
    """One target, and the position of its letters on the screen."""

    place: Offset
    go: Callable[[], object]


class JumpScreen(ModalScreen[Target | None], LeftOnce[Target | None]):
    """Ends in the target whose letters were typed; any other key cancels."""

    DEFAULT_CSS = """
    JumpScreen { background: $background 40%; }
    JumpScreen Static {
        width: auto; height: 1; position: absolute; background: $accent; color: $background; text-style: bold;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "leave", show=False)]

    def __init__(self, targets: Sequence[Target]) -> None:
        super().__init__()
        self._targets = dict(zip(labels(len(targets)), targets, strict=False))
        self._typed = ""

    def compose(self) -> ComposeResult:
        """One label per target."""
        for name, target in self._targets.items():
            label = Static(Content(f" {name} "), id=f"to-{name}")
            label.styles.offset = (target.place.x, target.place.y)
            yield label

    def on_key(self, event: Key) -> None:
        """Choose by letters; after the first of two, only labels that start with it remain."""
        if event.key == "escape":
            return
        event.stop()
        self._typed += event.key
        left = [name for name in self._targets if name.startswith(self._typed)]
        if left in ([], [self._typed]):
            self.dismiss(self._targets.get(self._typed))
            return
        for name in self._targets:
            self.query_one(f"#to-{name}").display = name in left


def labels(count: int) -> list[str]:
    """A label for each of `count` targets, none a prefix of another: letters first, then as many pairs as needed.

    Targets beyond the number of pairs get no label.
    """
    pairs_from = min(max(-(-(count - len(LETTERS)) // (len(LETTERS) - 1)), 0), len(LETTERS))
    singles = LETTERS[: len(LETTERS) - pairs_from]
    pairs = [first + second for first in LETTERS[len(singles) :] for second in LETTERS]
    return [*singles, *pairs][:count]


def targets_on(screen: Screen[object]) -> list[Target]:
    """The targets on this screen, top to bottom: each visible row, and everything focusable."""
    targets = {target.place: target for page in screen.query(Page) for target in _rows_of(page)}
    for widget in screen.focus_chain:
        if widget.region.area and not widget.disabled:
            targets.setdefault(widget.region.offset, Target(widget.region.offset, widget.focus))
    return sorted(targets.values(), key=lambda target: (target.place.y, target.place.x))


def _rows_of(page: Page) -> list[Target]:
    """The visible rows of a list on this page, each at its first cell."""
    owner = holder(page)
    listing = owner.listing if owner is not None else None
    if owner is None or listing is None or not page.is_on_screen or not page.display:
        return []
    seen = page.screen.find_widget(page).visible_region.intersection(page.content_region)
    found: dict[int, Target] = {}
    for y in range(seen.y, seen.bottom):
        x = page.content_region.x
        for segment in page.render_line(y - page.content_region.y):
            row = segment.style.meta.get(ROW) if segment.style is not None else None
            if isinstance(row, int) and row not in found:
                found[row] = Target(Offset(x, y), partial(go_to, page, row))
            x += segment.cell_length
    return list(found.values())

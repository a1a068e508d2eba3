"""Filters the list by one topic, by one failed rule, or not at all.

Knows nothing of the list itself.
"""

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.records.rule import Rule
from engine.wording import counted
from tui.actions import Place, bindings
from tui.keys import key_of
from tui.services.review import Where
from tui.widgets.lines import ACCENT, DIM, STRONG, fit
from tui.widgets.listing import Listed, Listing
from tui.widgets.placed import OverScreen
from tui.widgets.rows import within

_WIDTH = 54
_COUNT_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The chosen filter; None stands for all topics, or for any rule."""

    topic: str | None
    rule: int | None


class Choices(OptionList, inherit_bindings=False):
    """The choices; their keys come from the action table."""


class NarrowScreen(OverScreen[Narrowed | None], Listed):
    """A short list over the review. Ends in the chosen filter, or None if it was cancelled."""

    place: ClassVar[Place] = "narrow"
    DEFAULT_CSS = """
    NarrowScreen { align: center middle; background: $background 60%; }
    NarrowScreen > Vertical {
        width: 64; max-width: 100%; height: auto; max-height: 90%; padding: 1 2; background: $surface;
        border: round $panel-lighten-1;
    }
    NarrowScreen OptionList, NarrowScreen OptionList:focus {
        height: auto; max-height: 20; border: none; padding: 0; background: transparent; scrollbar-size-vertical: 1;
    }
    NarrowScreen OptionList > .option-list--option { padding: 0; }
    NarrowScreen OptionList > .option-list--option-highlighted,
    NarrowScreen OptionList:focus > .option-list--option-highlighted {
        background: $panel; color: $foreground; text-style: bold;
    }
    NarrowScreen Static { margin: 0 0 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("narrow")

    def __init__(self, topics: tuple[tuple[str, int], ...], rules: tuple[tuple[Rule, int], ...], where: Where) -> None:
        super().__init__()
        self._where = where
        self._choices: list[tuple[Narrowed, str, str]] = [
            (Narrowed(None, None), "all topics, all rules", ""),
            *((Narrowed(None, rule.id), f"rule {rule.id}  {rule.text}", _broken(count)) for rule, count in rules),
            *((Narrowed(name, None), f"topic {name or '–'}", counted(count, "answer")) for name, count in topics),
        ]

    def compose(self) -> ComposeResult:
        """The title and one line per choice."""
        with Vertical():
            yield Static(
                Content.assemble(
                    ("List only", STRONG),
                    "   ",
                    (key_of("narrow.choose"), ACCENT),
                    (" choose   ", DIM),
                    (key_of("narrow.leave"), ACCENT),
                    (" leave", DIM),
                )
            )
            yield Choices(*(Option(self._line(*choice)) for choice in self._choices), markup=False)

    def on_mount(self) -> None:
        """Start at the current filter."""
        now = Narrowed(self._where.topic, self._where.rule)
        options = self._options
        options.highlighted = next((i for i, (choice, *_) in enumerate(self._choices) if choice == now), 0)
        options.focus()

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        """Close with the clicked choice."""
        message.stop()
        self.dismiss(self._choices[message.option_index][0])

    def action_choose(self) -> None:
        """Close with the choice under the cursor."""
        self._options.action_select()

    def action_leave(self) -> None:
        """Cancel."""
        self.dismiss(None)

    @property
    def choices(self) -> Listing | None:
        """All choices; the list widget keeps the cursor visible."""
        return Listing(self._options.highlighted or 0, self._move)

    @property
    def _options(self) -> Choices:
        return self.query_one(Choices)

    def _move(self, steps: int) -> None:
        options = self._options
        options.highlighted = within((options.highlighted or 0) + steps, len(self._choices))

    def _line(self, choice: Narrowed, words: str, count: str) -> Content:
        here = choice == Narrowed(self._where.topic, self._where.rule)
        return Content.assemble(
            ("● " if here else "  ", ACCENT),
            fit(words, _WIDTH - _COUNT_WIDTH),
            (f"{count:>{_COUNT_WIDTH}}", DIM),
        )


def _broken(count: int) -> str:
    return f"{count:,} failed" if count else "none failed"

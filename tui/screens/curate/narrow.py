"""Chooses what the list is narrowed to: one topic, or one rule that is broken, or neither.

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
    """What was chosen; None stands for all topics, or for any rule."""

    topic: str | None
    rule: int | None


class Choices(OptionList, inherit_bindings=False):
    """The lines; their keys are those of the action table."""


class NarrowScreen(OverScreen[Narrowed | None], Listed):
    """A short list over the review. Ends in what was chosen, or None where a person left it as it was."""

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
            *((Narrowed(name, None), f"topic {name or '–'}", f"{count:,} questions") for name, count in topics),
        ]

    def compose(self) -> ComposeResult:
        """The title and one line a choice."""
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
        """Begin at what is listed now."""
        now = Narrowed(self._where.topic, self._where.rule)
        options = self._options
        options.highlighted = next((i for i, (choice, *_) in enumerate(self._choices) if choice == now), 0)
        options.focus()

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        """End with what was chosen."""
        message.stop()
        self.dismiss(self._choices[message.option_index][0])

    def action_choose(self) -> None:
        """End with what is under the cursor."""
        self._options.action_select()

    def action_leave(self) -> None:
        """Leave the list as it was."""
        self.dismiss(None)

    @property
    def choices(self) -> Listing | None:
        """All of them; the list's own widget keeps the cursor in sight."""
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
    return f"{count:,} broken" if count else "kept by all"

"""How two parts share a page: moved in steps by keys, and remembered by the name of the divider between them.

Knows no part: whoever is divided lays itself out by its share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from textual.message import Message

DividerName = Literal["prompt", "review"]
DIVIDERS: tuple[DividerName, ...] = get_args(DividerName)
# Of the first part, in per cent of both: the text beside the rules, the list over the answer.
NATURAL: Mapping[DividerName, int] = {"prompt": 60, "review": 40}
LEAST, MOST = 20, 80
_STEP = 5


@dataclass(slots=True)
class Shares:
    """Where each divider stands; one that nobody moved, or that cannot stand there, is in its own place."""

    moved: dict[DividerName, int] = field(default_factory=dict)

    @classmethod
    def restored(cls, remembered: Mapping[str, int]) -> "Shares":
        """As a person left them."""
        kept = {name: max(LEAST, min(remembered[name], MOST)) for name in DIVIDERS if name in remembered}
        return cls(kept)

    def of(self, name: DividerName) -> int:
        """The share of the first part, in per cent."""
        return self.moved.get(name, NATURAL[name])

    def move(self, name: DividerName, steps: int) -> "DividerMoved":
        """Give the first part more, or less; 0 puts the divider back. Returns what is to be told."""
        share = max(LEAST, min(self.of(name) + steps * _STEP, MOST)) if steps else NATURAL[name]
        self.moved[name] = share
        return DividerMoved(name, share)


@dataclass
class DividerMoved(Message):
    """A person moved a divider; it is to stand there the next time."""

    name: DividerName
    share: int


class Divided:
    """The keys that move a divider, for whatever carries them."""

    def move_divider(self, steps: int) -> bool:
        """Move it so many steps; 0 puts it back. False where nothing is divided."""
        raise NotImplementedError

    def action_narrower(self) -> None:
        """Less for the first part."""
        self.move_divider(-1)

    def action_wider(self) -> None:
        """More for the first part."""
        self.move_divider(1)

    def action_natural(self) -> None:
        """As it was at first."""
        self.move_divider(0)

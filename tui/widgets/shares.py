"""How two parts share a page: moved in steps by keys, and remembered by the name of the divider between them.

Knows nothing of the parts: each divided page lays itself out by its share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from textual.message import Message

DividerName = Literal["prompt", "review"]
DIVIDERS: tuple[DividerName, ...] = get_args(DividerName)
# The first part's share in per cent: the text beside the rules, the list above the answer.
NATURAL: Mapping[DividerName, int] = {"prompt": 60, "review": 40}
LEAST, MOST = 20, 80
_STEP = 5


@dataclass(slots=True)
class Shares:
    """The position of each divider; one that was not moved is at its default."""

    moved: dict[DividerName, int] = field(default_factory=dict)

    @classmethod
    def restored(cls, remembered: Mapping[str, int]) -> "Shares":
        """Return the shares as the user left them; out-of-range values are moved into the range."""
        kept = {name: max(LEAST, min(remembered[name], MOST)) for name in DIVIDERS if name in remembered}
        return cls(kept)

    def of(self, name: DividerName) -> int:
        """Return the share of the first part, in per cent."""
        return self.moved.get(name, NATURAL[name])

    def move(self, name: DividerName, steps: int) -> "DividerMoved":
        """Move the divider by so many steps; 0 resets it. Returns the message to post."""
        share = max(LEAST, min(self.of(name) + steps * _STEP, MOST)) if steps else NATURAL[name]
        self.moved[name] = share
        return DividerMoved(name, share)


@dataclass
class DividerMoved(Message):
    """The user moved a divider, whose position is to be remembered."""

    name: DividerName
    share: int


class Divided:
    """The actions that move a divider, as a mixin."""

    def move_divider(self, steps: int) -> bool:
        """Move the divider by so many steps; 0 resets it. Returns False if nothing is divided."""
        raise NotImplementedError

    def action_narrower(self) -> None:
        """Make the first part smaller."""
        self.move_divider(-1)

    def action_wider(self) -> None:
        """Make the first part larger."""
        self.move_divider(1)

    def action_natural(self) -> None:
        """Reset the divider."""
        self.move_divider(0)

"""The model names of the local server and the arms they stand for. Standard library only; knows nothing of models.

unprompted        the base alone
prompted          the base with the project's prompt
run-3             the base with run 3's adapter, without the prompt
run-3@60          the same at 60 % of the adapter's strength
run-3@60+prompt   the same with the prompt
"""

import re
from dataclasses import dataclass

_RUN = re.compile(r"run-([1-9][0-9]{0,8})(?:@(100|[1-9]?[0-9]))?(\+prompt)?")


@dataclass(frozen=True, slots=True)
class ArmChoice:
    """One arm that the server can be asked for."""

    run_id: int = 0  # whose adapter; 0: none
    strength_percent: int = 100  # of the adapter
    prompt: bool = False  # with the project's prompt

    @property
    def name(self) -> str:
        """The canonical name of this arm: full strength is not written out."""
        if not self.run_id:
            return "prompted" if self.prompt else "unprompted"
        strength = "" if self.strength_percent == 100 else f"@{self.strength_percent}"
        return f"run-{self.run_id}{strength}{'+prompt' if self.prompt else ''}"


UNPROMPTED, PROMPTED = ArmChoice(), ArmChoice(prompt=True)


def parse_arm(name: str) -> ArmChoice | None:
    """Return the arm of a name, or None if the name is not valid."""
    for choice in (UNPROMPTED, PROMPTED):
        if name == choice.name:
            return choice
    found = _RUN.fullmatch(name)
    if found is None:
        return None
    return ArmChoice(int(found[1]), int(found[2] or 100), found[3] is not None)

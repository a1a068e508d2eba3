"""What this terminal can do, as far as the environment tells. Pure; asks no terminal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Colours = Literal["none", "16", "256", "true"]
Multiplexer = Literal["", "tmux", "screen"]


@dataclass(frozen=True, slots=True)
class Abilities:
    """A modern terminal, unless said otherwise."""

    colours: Colours = "true"
    unicode: bool = True  # it has more than ASCII, in its encoding and in its font
    clipboard: bool = True  # it may take text for the clipboard (OSC 52); whether it does, no terminal tells
    ssh: bool = False
    multiplexer: Multiplexer = ""

    @property
    def theme(self) -> str:
        """The theme that suits it: where there are 16 colours or none, the terminal's own."""
        return "dusk" if self.colours in ("256", "true") else "terminal-dark"


def abilities_in(environment: Mapping[str, str]) -> Abilities:
    """Read them off the environment's variables."""
    term = environment.get("TERM", "").lower()
    console = term in ("", "dumb", "unknown", "linux")  # no more than the machine's own console
    return Abilities(
        colours=_colours(environment, term),
        unicode=not console and _speaks_utf8(environment),
        clipboard=not console,
        ssh=bool(environment.get("SSH_CONNECTION") or environment.get("SSH_TTY")),
        multiplexer=_multiplexer(environment, term),
    )


def _colours(environment: Mapping[str, str], term: str) -> Colours:
    if "NO_COLOR" in environment or term in ("", "dumb", "unknown"):
        return "none"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "true"
    return "256" if term.endswith("-256color") else "16"


def _speaks_utf8(environment: Mapping[str, str]) -> bool:
    """The first of these that says anything holds. Where none does, nothing is known, and nearly all do."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "utf-8")
    return "utf8" in locale.lower().replace("-", "")


def _multiplexer(environment: Mapping[str, str], term: str) -> Multiplexer:
    # Over SSH the variables of the multiplexer stay behind, the name of the terminal comes along. `screen` is the name
    # that older versions of tmux give too, so that it alone says nothing.
    if environment.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if environment.get("STY") else ""

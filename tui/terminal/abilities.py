"""What this terminal can do, judged by environment variables. Pure; does not query the terminal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Colours = Literal["none", "16", "256", "true"]
Multiplexer = Literal["", "tmux", "screen"]


@dataclass(frozen=True, slots=True)
class Abilities:
    """A terminal's abilities; the defaults describe a modern one."""

    colours: Colours = "true"
    unicode: bool = True  # whether encoding and font go beyond ASCII
    clipboard: bool = True  # whether it may accept OSC 52; no terminal reports whether it does
    ssh: bool = False
    multiplexer: Multiplexer = ""

    @property
    def theme(self) -> str:
        """The theme that suits it: with 16 colours or none, one that uses the terminal's own."""
        return "dusk" if self.colours in ("256", "true") else "terminal-dark"


def abilities_in(environment: Mapping[str, str]) -> Abilities:
    """Derive the abilities from environment variables."""
    term = environment.get("TERM", "").lower()
    console = term in ("", "dumb", "unknown", "linux")  # at best the machine's own console
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
    """Whether the first variable set names UTF-8. With none set, assume it: nearly all terminals use it."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "utf-8")
    return "utf8" in locale.lower().replace("-", "")


def _multiplexer(environment: Mapping[str, str], term: str) -> Multiplexer:
    # SSH drops the multiplexer's variables and passes TERM on. Older versions of tmux also use the name `screen`, so
    # that name alone proves nothing.
    if environment.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if environment.get("STY") else ""

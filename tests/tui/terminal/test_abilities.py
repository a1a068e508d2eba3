"""Abilities of a terminal, detected from its environment."""

import pytest

from tui.terminal.abilities import Abilities, Colours, abilities_in

MODERN = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_GB.UTF-8"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (MODERN, Abilities()),
        ({**MODERN, "COLORTERM": ""}, Abilities(colours="256")),
        ({**MODERN, "COLORTERM": "", "TERM": "xterm"}, Abilities(colours="16")),
        ({**MODERN, "NO_COLOR": "1"}, Abilities(colours="none")),
        ({"TERM": "linux", "LANG": "C.UTF-8"}, Abilities(colours="16", unicode=False, clipboard=False)),
        ({"TERM": "dumb"}, Abilities(colours="none", unicode=False, clipboard=False)),
        ({}, Abilities(colours="none", unicode=False, clipboard=False)),
        ({**MODERN, "LANG": "de_DE.ISO-8859-1"}, Abilities(unicode=False)),
        ({**MODERN, "LC_ALL": "C"}, Abilities(unicode=False)),
        ({**MODERN, "LC_ALL": "", "LC_CTYPE": "C.utf8", "LANG": "C"}, Abilities()),
        ({"TERM": "xterm-256color", "COLORTERM": "24bit"}, Abilities()),
        ({**MODERN, "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, Abilities(ssh=True)),
        ({**MODERN, "TMUX": "/tmp/tmux-0/default,1,0", "TERM": "screen-256color"}, Abilities(multiplexer="tmux")),
        ({**MODERN, "TERM": "tmux-256color", "SSH_TTY": "/dev/pts/1"}, Abilities(multiplexer="tmux", ssh=True)),
        ({**MODERN, "STY": "1.pts-0", "TERM": "screen"}, Abilities(multiplexer="screen")),
        ({**MODERN, "TERM": "screen-256color"}, Abilities()),
    ],
)
def test_abilities_are_read_from_the_environment(environment: dict[str, str], expected: Abilities) -> None:
    assert abilities_in(environment) == expected


@pytest.mark.parametrize(("colours", "theme"), [("true", "dusk"), ("256", "dusk"), ("16", "terminal-dark")])
def test_default_theme_depends_on_the_number_of_colours(colours: Colours, theme: str) -> None:
    assert Abilities(colours=colours).theme == theme
